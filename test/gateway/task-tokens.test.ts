import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { ServedGateway } from '../support/served-gateway.ts';
import { type Answer, bySocket, TaskTokenClient } from '../support/task-token-client.ts';

const ISSUER = 'https://tokens.example.com';
const AZURE = { clientId: '11111111-2222-4333-8444-555555555555', tenantId: '66666666-7777-4888-9999-aaaaaaaaaaaa' };
const AWS = { roleArn: 'arn:aws:iam::123456789012:role/loader', region: 'eu-central-1' };
const ROLE = {
  tasks: ['Load', 'Gate', 'Broken'],
  taskIdentities: [{ tasks: ['Gate'], identity: 'gatekeeper' }, { tasks: ['Load', 'sales.*'] }],
};
const POLICY = { identities: { gatekeeper: { azure: AZURE, aws: AWS } } };

describe('tokens of tasks, at a gateway', function () {
  this.timeout(60_000);
  const gateway = new ServedGateway({ config: { issuer: { url: ISSUER } }, role: ROLE, policy: POLICY });
  const client = new TaskTokenClient(gateway);
  let run = '';
  let token = '';

  const json = ({ text }: Answer) => JSON.parse(text);
  const rejections = () => gateway.audit().filter(({ type }) => type === 'dev.plumbline.identity.rejected');
  const issuances = () => gateway.audit().filter(({ type }) => type === 'dev.plumbline.identity.issued');
  const claimsOf = async (jwt: string) => {
    const keys = (await (await fetch(`${gateway.url}/.well-known/jwks.json`)).json()) as JSONWebKeySet;
    return jwtVerify(jwt, createLocalJWKSet(keys), { issuer: ISSUER, algorithms: ['RS256'] });
  };
  const startGate = async (name: string) => {
    const answer = await gateway.create(gateway.token(), `gate-${name}`, { task: 'Gate', parameters: { name } });
    assert.equal(answer.status, 201, await answer.clone().text());
    const { id } = (await answer.json()) as { id: string };
    await gateway.until(() => existsSync(`${gateway.out}/waiting-${name}`));
    return id;
  };
  const refused = async (answer: Answer, error: string, reason: string) => {
    assert.equal(answer.status, 400, answer.text);
    const { error_description, ...body } = json(answer);
    assert.deepEqual(body, { error, code: 'ERR_IDENTITY_REJECTED', reason, mode: 'enforce' });
    assert.equal(answer.headers['cache-control'], 'no-store');
  };

  before(async () => {
    await gateway.start();
    run = await startGate('first');
    token = client.tokens.issue(`${run}.1`);
  });
  after(() => gateway.close());

  it('name run, attempt, role, family, task, policy, and who started the run; each is another one', async () => {
    const answer = await client.exchange(token);
    assert.equal(answer.status, 200, answer.text);
    const { access_token, plumbline, ...rest } = json(answer);
    const { expires_in, ...words } = rest;
    assert.deepEqual(words, { issued_token_type: 'urn:ietf:params:oauth:token-type:jwt', token_type: 'N_A' });
    assert.ok(expires_in > 590 && expires_in <= 600);
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.deepEqual(
      [plumbline.identity, plumbline.audience, plumbline.renewAfter],
      ['gatekeeper', 'api://AzureADTokenExchange', 60],
    );
    assert.deepEqual(
      plumbline.targets.map(({ kind }: { kind: string }) => kind),
      ['azure', 'aws'],
    );
    const { payload, protectedHeader } = await claimsOf(access_token);
    assert.deepEqual([protectedHeader.alg, protectedHeader.typ], ['RS256', 'JWT']);
    const { iat = 0, nbf, exp = 0, jti = '', ...claims } = payload;
    assert.deepEqual([nbf, exp], [iat, iat + 600]);
    const policy = gateway.audit().find(({ type }) => type === 'dev.plumbline.policy.loaded')?.data['policy'];
    assert.deepEqual(claims, {
      iss: ISSUER,
      sub: 'plumbline:gatekeeper',
      aud: 'api://AzureADTokenExchange',
      act: { iss: 'https://app.example.com', sub: 'alice' },
      plumbline: { run, attempt: 1, role: 'etl', family: 'Gate', task: 'Gate_a_1234567890', policy },
    });
    const record = issuances().find(({ data }) => data['tokenId'] === jti);
    assert.equal(record?.subject, run);
    const { caller, requestId, keyId, expiresAt, ...data } = record?.data ?? {};
    assert.deepEqual([keyId, expiresAt], [protectedHeader.kid, exp * 1_000]);
    assert.equal(requestId, answer.headers['x-request-id']);
    assert.equal((caller as { subject: string }).subject, 'alice');
    assert.deepEqual(data, {
      worker: `${run}.1`,
      role: 'etl',
      attempt: 1,
      family: 'Gate',
      taskId: 'Gate_a_1234567890',
      policy,
      binding: 'app',
      mode: 'enforce',
      wouldAllow: true,
      identity: 'gatekeeper',
      audience: 'api://AzureADTokenExchange',
      tokenId: jti,
    });
    const again = json(await client.exchange(token)).access_token;
    assert.notEqual((await claimsOf(again)).payload.jti, jti);
  });

  it('are for one audience of the identity, or for this gateway alone', async () => {
    const aws = json(await client.exchange(token, { audience: 'sts.amazonaws.com' }));
    assert.equal((await claimsOf(aws.access_token)).payload.aud, 'sts.amazonaws.com');
    const nobody = json(await client.exchange(token, { task_family: 'sales.Orders', task_id: 'sales.Orders__1' }));
    const { payload } = await claimsOf(nobody.access_token);
    assert.deepEqual([payload.sub, payload.aud], ['plumbline:task', ISSUER]);
    assert.deepEqual(nobody.plumbline, { identity: null, audience: ISSUER, renewAfter: 60, targets: [] });
  });

  it('are refused in a word that is on record', async () => {
    const other = client.tokens.issue('0199a7d2-8c5e-7a01-9d3b-5f8c2e1a4b60.1');
    const cases: readonly (readonly [string, Record<string, string | undefined>, string, string])[] = [
      [token, { task_family: 'Get', task_id: 'Get__1' }, 'access_denied', 'family'],
      [token, { task_id: 'Load_a_1' }, 'invalid_request', 'task-mismatch'],
      [token, { audience: 'https://elsewhere.example.com' }, 'invalid_target', 'audience'],
      [token, { audience: ISSUER }, 'invalid_target', 'audience'],
      [client.tokens.issue(`${run}.2`), {}, 'invalid_grant', 'worker-unknown'],
      [client.tokens.issue(`${run}.0`), {}, 'invalid_grant', 'worker-unknown'],
      [other, {}, 'invalid_grant', 'worker-unknown'],
      [`${token.slice(0, -43)}${'A'.repeat(43)}`, {}, 'invalid_grant', 'worker-token'],
      [`plw_${run}.1.${client.tokens.schedulerPassword(`${run}.1`).slice(4)}`, {}, 'invalid_grant', 'worker-token'],
      [token, { grant_type: 'client_credentials' }, 'invalid_request', 'malformed'],
      [token, { task_family: 'no family', task_id: 'no family_1' }, 'access_denied', 'family-name'],
    ];
    for (const [subject, fields, error, reason] of cases) {
      const before = rejections().length;
      await refused(await client.exchange(subject, fields), error, reason);
      // Of strangers one record a minute is enough.
      const told = rejections()
        .slice(before)
        .map(({ data }) => data['reason']);
      const isStranger = ['worker-token', 'malformed'].includes(reason);
      if (!isStranger) assert.deepEqual(told, [reason]);
    }
    const reasons = new Set(rejections().map(({ data }) => data['reason']));
    for (const [, , , reason] of cases) assert.ok(reasons.has(reason), reason);
  });

  it('are given by the listener too; by the socket there is nothing else', async () => {
    const body = client.form(token);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await fetch(`${gateway.url}/v1/token`, { method: 'POST', body, headers });
    assert.equal(answer.status, 200);
    assert.equal(statSync(client.socket).mode & 0o777, 0o600);
    for (const path of [
      '/v1/runs',
      '/v1/token/',
      '/v1/token?x=1',
      '/v1/TOKEN',
      '/v1/%74oken',
      '/healthz',
      '/metrics',
      '/luigid/',
      '//v1/token',
    ])
      assert.equal((await bySocket(client.socket, path, body, headers)).status, 404, path);
    assert.equal((await bySocket(client.socket, '/v1/token')).status, 401);
  });

  it('are counted, and readiness says that there are any', async () => {
    const { checks } = (await (await fetch(`${gateway.url}/readyz`)).json()) as {
      checks: { name: string; state: string }[];
    };
    assert.deepEqual(
      checks.filter(({ name }) => name === 'issuer'),
      [{ name: 'issuer', state: 'ok' }],
    );
    const metrics = await (await fetch(gateway.metricsUrl)).text();
    assert.match(metrics, /plumbline_task_tokens_total\{result="issued",reason=""\} \d/);
    assert.match(metrics, /plumbline_task_tokens_total\{result="enforce",reason="family"\} 1/);
  });

  it('are refused by a policy that came in the meantime, and given when it is gone', async () => {
    const before = gateway.policy();
    gateway.writePolicy(gateway.policy({ ...ROLE, taskIdentities: [{ tasks: ['Load'] }] }));
    await gateway.until(async () => (await client.exchange(token)).status === 400);
    await refused(await client.exchange(token), 'access_denied', 'family');
    gateway.writePolicy(gateway.policy({ ...ROLE, tasks: ['Load'] }));
    await gateway.until(async () => json(await client.exchange(token)).reason === 'run-denied');
    gateway.writePolicy(before);
    await gateway.until(async () => (await client.exchange(token)).status === 200);
  });

  it('are given and refused by a gateway that was killed and started again', async () => {
    await gateway.stop('SIGKILL');
    assert.ok(existsSync(client.socket), 'it had no time to remove it');
    await assert.rejects(client.exchange(token), { code: 'ECONNREFUSED' });
    await gateway.start();
    const answer = json(await client.exchange(token));
    assert.equal((await claimsOf(answer.access_token)).payload.sub, 'plumbline:gatekeeper');
    await refused(await client.exchange(token, { task_family: 'Get', task_id: 'Get__1' }), 'access_denied', 'family');
  });

  it('are worth nothing as soon as somebody has asked to stop the run', async () => {
    const id = await startGate('second');
    const its = client.tokens.issue(`${id}.1`);
    assert.equal((await client.exchange(its)).status, 200);
    const answers: { readonly at: number; readonly status: number }[] = [];
    let isOver = false;
    const asking = Promise.all(
      Array.from({ length: 4 }, async () => {
        while (!isOver) {
          const at = performance.now();
          answers.push({ at, status: (await client.exchange(its)).status });
        }
      }),
    );
    const cancelled = await gateway.request(`/v1/runs/${id}/cancel`, gateway.token(), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'cancelled' }),
    });
    const since = performance.now();
    assert.equal(cancelled.status, 200);
    await refused(await client.exchange(its), 'invalid_grant', 'worker-unknown');
    isOver = true;
    await asking;
    assert.deepEqual(
      answers.filter(({ at, status }) => at > since && status !== 400),
      [],
    );
    const intent = gateway
      .audit()
      .findIndex(({ type, subject }) => type.endsWith('run.cancel.intent') && subject === id);
    const handedOut = answers.filter(({ status }) => status === 200).length;
    const recorded = issuances().filter(({ subject }) => subject === id).length;
    assert.ok(intent > 0 && recorded >= handedOut);
  });

  it('show in no log and no record', async () => {
    const issued = json(await client.exchange(token)).access_token as string;
    const kept = `${gateway.log}${JSON.stringify(gateway.audit())}`;
    for (const secret of [token, issued, token.slice(-43), issued.split('.')[2] ?? '', 'plw_'])
      assert.ok(!kept.includes(secret));
    assert.doesNotMatch(kept, /eyJ[\w-]{10,}\.[\w-]{10,}/);
  });

  it('leave no socket behind a gateway that stops', async () => {
    assert.equal(await gateway.stop(), 0);
    assert.ok(!existsSync(client.socket));
  });
});
