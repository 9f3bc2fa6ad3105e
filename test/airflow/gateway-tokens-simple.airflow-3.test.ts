import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { AIRFLOW_USERS } from '../../scripts/start-airflow.ts';
import { AirflowTrust, AUDIENCE } from '../support/gateway-airflow.ts';
import { type Claims, signed, type TestKey } from '../support/test-issuer.ts';

const HOUR_SECONDS = 3_601;

interface Token {
  readonly access_token: string;
  readonly token_type: string;
  readonly expires_in: number;
  readonly user: string;
  readonly role?: string;
  readonly url: string;
}

describe('tokens of the gateway at an Airflow 3 with SimpleAuthManager', function () {
  this.timeout(240_000);
  let trust: AirflowTrust;
  before(async function () {
    this.timeout(600_000);
    trust = await AirflowTrust.start({
      auth: 'simple',
      grants: {
        loader: { airflow: 'warehouse', user: 'ci-load', role: 'user' },
        reader: { airflow: 'warehouse', user: 'ci-read', role: 'viewer' },
        roleless: { airflow: 'warehouse', user: '1' },
        elsewhere: { airflow: 'elsewhere', user: 'ci-load', role: 'admin' },
      },
      teams: { load: 'loader', read: 'reader', roleless: 'roleless', elsewhere: 'elsewhere' },
      others: {
        elsewhere: {
          url: 'https://elsewhere.example',
          authManager: 'simple',
          audience: 'elsewhere',
          publicKeys: 'none',
        },
      },
    });
  });
  after(() => trust?.close());

  /** The gateway's key for this Airflow: what a thief of it could do. */
  const gatewayKey = (): TestKey => {
    const folder = join(trust.gateway.folder, 'state/keys/airflow/warehouse');
    const name = readdirSync(folder).find((file) => file.endsWith('.pem')) ?? '';
    const privateKey = createPrivateKey(readFileSync(join(folder, name), 'utf8'));
    return { privateKey, alg: 'RS256', kid: name.replace('.pem', '') } as TestKey;
  };
  const forged = async (changes: Claims): Promise<string> => {
    const key = gatewayKey();
    const claims = decodeJwt(await trust.token('load'));
    return signed({ alg: 'RS256', typ: 'JWT', kid: key.kid }, { ...claims, ...changes }, key);
  };
  const records = (type: string) => trust.gateway.audit().filter((record) => record.type === `dev.plumbline.${type}`);

  it('leave the built-in log-in, its roles and the tasks as they are', async () => {
    const token = await trust.login();
    const { status, run } = await trust.trigger(token);
    assert.deepEqual([status, run['triggering_user_name']], [200, 'ci']);
    await trust.succeeded(token, run['dag_run_id']);
    assert.equal((await trust.trigger(await trust.login(AIRFLOW_USERS.viewer))).status, 403);
  });

  it('start runs as the user whom the policy names, and are on record before', async () => {
    const answer = await trust.exchange('load');
    const { access_token: token, ...rest } = (await answer.json()) as Token;
    assert.equal(answer.headers.get('cache-control'), 'no-store');
    assert.deepEqual(
      { ...rest, expires_in: 0 },
      { token_type: 'Bearer', expires_in: 0, user: 'ci-load', role: 'user', url: trust.airflow.url },
    );
    assert.ok(rest.expires_in > 590 && rest.expires_in <= 600, String(rest.expires_in));
    const { status, run } = await trust.trigger(token);
    assert.deepEqual([status, run['triggering_user_name']], [200, 'ci-load']);
    await trust.succeeded(token, run['dag_run_id']);
    const { jti = '', exp = 0, iat, ...claims } = decodeJwt(token);
    const issuer = 'http://127.0.0.1/airflow/warehouse';
    assert.deepEqual({ ...claims, nbf: 0 }, { iss: issuer, aud: AUDIENCE, sub: 'ci-load', role: 'user', nbf: 0 });
    assert.equal(exp - (iat ?? 0), 600);
    const record = records('airflow.token').find(({ data }) => data['tokenId'] === jti);
    const { airflow, grant, user, airflowRole, keyId, allowed } = record?.data ?? {};
    assert.deepEqual(
      [airflow, grant, user, airflowRole, keyId, allowed],
      ['warehouse', 'loader', 'ci-load', 'user', decodeProtectedHeader(token).kid, true],
    );
  });

  it('have the role that the policy gives: a viewer reads and starts nothing', async () => {
    const token = await trust.token('read');
    assert.equal(await trust.status(token), 200);
    assert.equal((await trust.trigger(token)).status, 403);
  });

  it('are for nobody whom the policy does not name, and each refusal is on record', async () => {
    const cases = [
      ['nobody', {}, 403, 'airflow-denied', 'claim-mismatch'],
      ['read', { body: { grant: 'loader' } }, 403, 'airflow-denied', 'claim-mismatch'],
      ['roleless', {}, 403, 'airflow-denied', 'grant-unfit'],
      ['load', { airflow: 'unknown' }, 404, 'airflow-unknown', 'airflow-unknown'],
    ] as const;
    for (const [team, options, status, code, reason] of cases) {
      const before = records('airflow.refused').length;
      const answer = await trust.exchange(team, options);
      const problem = (await answer.json()) as { code: string; reason: string };
      assert.deepEqual([answer.status, problem.code, problem.reason], [status, code, reason], team);
      const [record, ...more] = records('airflow.refused').slice(before);
      assert.deepEqual([record?.data['reason'], record?.data['allowed'], more.length], [reason, false, 0], team);
    }
    const anonymous = await trust.gateway.request('/v1/airflow/warehouse/token', undefined, { method: 'POST' });
    assert.equal(anonymous.status, 401);
  });

  it('of another Airflow, or changed, are worth nothing here', async () => {
    const other = await trust.token('elsewhere', 'elsewhere');
    assert.equal(decodeJwt(other).aud, 'elsewhere');
    assert.equal(await trust.status(other), 403);
    const token = await trust.token('read');
    const [header, , signature] = token.split('.');
    const raised = Buffer.from(JSON.stringify({ ...decodeJwt(token), role: 'admin' })).toString('base64url');
    assert.equal(await trust.status(`${header}.${raised}.${signature}`), 403);
  });

  it('an Airflow whose own keys are not known gets no set of keys, and readiness says which', async () => {
    const answer = await trust.gateway.request('/airflow/elsewhere/jwks.json', undefined);
    assert.deepEqual([answer.status, answer.headers.get('cache-control')], [503, 'no-store']);
    const { checks } = (await (await trust.gateway.request('/readyz', undefined)).json()) as {
      checks: { name: string; state: string; detail?: string }[];
    };
    const check = checks.find(({ name }) => name === 'airflow');
    assert.equal(check?.state, 'warning');
    assert.match(check?.detail ?? '', /^elsewhere: the file of its own public keys cannot be read \(ENOENT\)/);
  });

  it('end when they say, and are refused by Airflow for another audience or issuer though the key is right', async () => {
    const now = Math.floor(Date.now() / 1_000);
    assert.equal(await trust.status(await forged({})), 200);
    const cases: readonly (readonly [Claims, number])[] = [
      [{ exp: now - 60 }, 401],
      [{ aud: 'elsewhere' }, 403],
      [{ iss: 'https://elsewhere.example' }, 403],
    ];
    for (const [changes, status] of cases) assert.equal(await trust.status(await forged(changes)), status);
  });

  it('are nothing at the execution API of the tasks, where the key itself would open: hence the rules for its configuration', async () => {
    const at = async (token: string) => {
      const answer = await trust.ask(token, '/execution/variables/none');
      return [answer.status, JSON.stringify(await answer.json())] as const;
    };
    const [status, detail] = await at(await trust.token('load'));
    assert.equal(status, 403);
    assert.match(detail, /Invalid auth token/);
    const task = { aud: 'urn:airflow.apache.org:task', sub: '01900000-0000-7000-8000-000000000000' };
    assert.equal((await at(await forged(task)))[0], 403, 'its issuer alone is refused');
    const both = `${trust.airflow.url},http://127.0.0.1/airflow/warehouse`;
    assert.equal((await at(await forged({ iss: both })))[0], 403, 'its audience alone is refused');
    assert.notEqual((await at(await forged({ ...task, iss: both })))[0], 403, 'both together are a task');
  });

  it('are bought once by an ID token: the very same request gets the first answer', async () => {
    const token = trust.caller('load', 'ci');
    const answers = [await trust.exchange('load', { token }), await trust.exchange('load', { token })];
    const [first, second] = await Promise.all(
      answers.map(async (answer) => ((await answer.json()) as Token).access_token),
    );
    assert.ok(first && first === second);
    const tokenIds = records('airflow.token').map(({ data }) => data['tokenId']);
    assert.equal(tokenIds.filter((id) => id === decodeJwt(first).jti).length, 1);
    const other = await trust.exchange('load', { token, body: { grant: 'loader' } });
    assert.deepEqual([other.status, ((await other.json()) as { code: string }).code], [401, 'token-used']);
  });

  it('and no key are in the log or the audit', async () => {
    const token = await trust.token('load');
    const [, , signature = ''] = token.split('.');
    const { d = '' } = gatewayKey().privateKey.export({ format: 'jwk' });
    const written = trust.gateway.log + JSON.stringify(trust.gateway.audit());
    for (const secret of [token, signature, d.slice(0, 40)]) assert.equal(written.includes(secret), false);
  });

  describe('when keys change', () => {
    const published = async () => {
      const answer = await trust.gateway.request('/airflow/warehouse/jwks.json', undefined);
      const { keys } = (await answer.json()) as { keys: { kid: string; d?: string }[] };
      assert.ok(keys.every((key) => key.d === undefined));
      return keys.map(({ kid }) => kid);
    };
    const kidOf = (token: string) => decodeProtectedHeader(token).kid ?? '';
    const prepared = async (): Promise<string> => {
      const before = await published();
      assert.equal((await trust.keys('prepare')).status, 0);
      await trust.gateway.until(async () => (await published()).length > before.length);
      return (await published()).find((kid) => !before.includes(kid)) ?? '';
    };
    const activated = async (kid: string) => {
      const { status, error } = await trust.keys('activate', kid, '--now');
      assert.equal(status, 0, error);
      await trust.gateway.until(async () => kidOf(await trust.token('load')) === kid);
    };

    it('a key that was published for Airflow’s hour signs without a token that is refused', async () => {
      const old = await trust.token('load');
      const kid = await prepared();
      assert.equal((await trust.keys('activate', kid)).status, 1, 'not before publishFor');
      trust.jwksAge(HOUR_SECONDS);
      assert.equal(await trust.status(old), 200, 'Airflow has fetched the keys again with this');
      await activated(kid);
      assert.deepEqual([await trust.status(await trust.token('load')), await trust.status(old)], [200, 200]);
    });

    it('one that was not is unknown until Airflow’s hour is over: an unknown key makes it fetch nothing', async () => {
      const old = await trust.token('load');
      await activated(await prepared());
      const token = await trust.token('load');
      assert.deepEqual([await trust.status(token), await trust.status(token)], [403, 403]);
      assert.equal(await trust.status(old), 200);
      trust.jwksAge(HOUR_SECONDS);
      assert.deepEqual([await trust.status(token), await trust.status(old)], [200, 200]);
    });

    it('or until its API server is restarted', async () => {
      await activated(await prepared());
      const token = await trust.token('load');
      assert.equal(await trust.status(token), 403);
      await trust.airflow.stop('api-server');
      trust.airflow.start('api-server');
      await trust.airflow.answers();
      assert.equal(await trust.status(token), 200);
    });

    it('a stolen one is out with `--now` and Airflow’s next fetch, and its tokens with it', async () => {
      const stolen = await trust.token('load');
      assert.equal((await trust.keys('retire', kidOf(stolen), '--now')).status, 0);
      await trust.gateway.until(async () => !(await published()).includes(kidOf(stolen)));
      assert.equal(await trust.status(stolen), 200, 'Airflow has its copy');
      trust.jwksAge(HOUR_SECONDS);
      const token = await trust.token('load');
      assert.deepEqual([await trust.status(stolen), await trust.status(token)], [403, 200]);
    });
  });

  // Last: whatever it leaves behind is in nobody's way.
  describe('when the gateway is away', () => {
    it('are taken while the gateway is away, and the next one has the same key', async () => {
      const token = await trust.token('load');
      assert.equal(await trust.status(token), 200);
      await trust.gateway.stop();
      assert.equal(await trust.status(token), 200);
      trust.jwksAge(HOUR_SECONDS);
      assert.equal(await trust.status(token), 200, 'Airflow keeps what it has when it cannot fetch');
      const login = await trust.login();
      assert.equal(await trust.status(login), 200);
      await trust.gateway.start();
      const next = await trust.token('load');
      assert.equal(decodeProtectedHeader(next).kid, decodeProtectedHeader(token).kid);
      assert.deepEqual([await trust.status(next), await trust.status(token)], [200, 200]);
    });
  });
});
