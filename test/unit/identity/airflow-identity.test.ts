import assert from 'node:assert/strict';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ServiceConnection } from '#core/connection.ts';
import { PlumblineError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';
import { createHttp } from '#http/http.ts';
import { airflowIdentity } from '#identity/airflow-identity.ts';
import { type Loopback, serve } from '../../support/loopback.ts';

const HOUR = 3_600_000;
const NOW = Date.UTC(2026, 10, 20);
const soon = () => AbortSignal.timeout(10_000);

function connection(scheme: string, url: string, given: Record<string, string> = {}): ServiceConnection {
  return {
    id: '3f2a7c1e-1111-4222-8333-944445555666',
    url,
    scheme,
    parameter: (name) => given[name],
    data: (name) => given[name],
  };
}

/** A JWT that says when it expires; nobody here verifies it. */
function jwt(expiresAt: number, id: number): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part({ exp: expiresAt / 1_000, jti: id })}.sig${id}`;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

async function refusalOf(open: () => Promise<unknown>): Promise<PlumblineError> {
  const thrown = await open().then(
    () => assert.fail('it was taken'),
    (error: unknown) => error,
  );
  assert(thrown instanceof PlumblineError, String((thrown as Error).stack));
  return thrown;
}

interface Asked {
  readonly path: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

describe('the identity towards an Airflow', () => {
  let server: Loopback;
  let asked: Asked[];
  let answer: (asked: Asked, response: ServerResponse) => void;
  let masked: string[];
  let now: number;
  before(async () => {
    server = await serve(async (request, response) => {
      const one = { path: request.url, headers: request.headers, body: await bodyOf(request) };
      asked.push(one);
      answer(one, response);
    });
  });
  after(() => server.close());
  beforeEach(() => {
    asked = [];
    masked = [];
    now = NOW;
  });

  const json = (response: ServerResponse, status: number, value: unknown, type = 'application/json') =>
    response.writeHead(status, { 'content-type': type }).end(JSON.stringify(value));
  const url = () => server.url.replace('localhost', '127.0.0.1');
  const surroundings = () => ({
    system: undefined,
    variable: () => undefined,
    http: createHttp({ skipVerification: false }),
    mask: (secret: Secret) => masked.push(secret.reveal()),
    clock: { now: () => now, sleep: async () => undefined },
  });

  describe('with a token', () => {
    it('is the token as it is, masked before it is used, with both versions', async () => {
      const identity = airflowIdentity(connection('Token', url(), { apitoken: 'astro-token' }), surroundings());
      assert.deepEqual([identity.kind, identity.url, identity.stored], ['token', url(), true]);
      for (const api of ['v1', 'v2'] as const) {
        assert.deepEqual(await identity.credentials.headers(api, soon()), { authorization: 'Bearer astro-token' });
      }
      assert.deepEqual(new Set(masked), new Set(['astro-token']));
      assert.ok(masked.length <= 2, 'once, not with each request');
      assert.deepEqual(asked, []);
    });

    it('is sent without the end of a line that was kept with it, and is refused when it is none', async () => {
      const given = (apitoken: string) =>
        airflowIdentity(connection('Token', url(), { apitoken }), surroundings()).credentials.headers('v2', soon());
      assert.deepEqual(await given(' astro-token\r\n'), { authorization: 'Bearer astro-token' });
      assert.deepEqual(masked, [' astro-token\r\n', 'astro-token']);
      for (const none of ['two lines\nof it', 'tökén', '\n']) {
        await assert.rejects(given(none), (error: PlumblineError) => {
          return error.code === 'ERR_CONNECTION_UNSUPPORTED' && !error.message.includes(none);
        });
      }
    });

    it('is read from elsewhere once, and anew after it was refused', async () => {
      let version = 0;
      const readCredential = async () => new Secret(`token-${++version}`);
      const { stored, credentials } = airflowIdentity(connection('Token', url()), {
        ...surroundings(),
        readCredential,
      });
      assert.equal(stored, false);
      const use = async () => (await credentials.headers('v2', soon()))['authorization'];
      assert.deepEqual([await use(), await use()], ['Bearer token-1', 'Bearer token-1']);
      credentials.refused();
      assert.deepEqual(await Promise.all([use(), use()]), ['Bearer token-2', 'Bearer token-2']);
      assert.deepEqual([...new Set(masked)], ['token-1', 'token-2']);
    });

    it('is asked for again when it could not be read', async () => {
      const answers = [Promise.reject(new Error('away')), Promise.resolve(new Secret('token'))];
      answers[0]?.catch(() => undefined);
      const readCredential = () => answers.shift() as Promise<Secret>;
      const { credentials } = airflowIdentity(connection('Token', url()), { ...surroundings(), readCredential });
      await assert.rejects(credentials.headers('v2', soon()), /away/);
      assert.deepEqual(await credentials.headers('v2', soon()), { authorization: 'Bearer token' });
    });
  });

  describe('with user name and password', () => {
    const login = { username: 'ci', password: 'pass word' };
    const signedIn = (more = {}) =>
      airflowIdentity(connection('UsernamePassword', url(), login), { ...surroundings(), ...more });
    const token = (more = {}) => {
      const { credentials } = signedIn(more);
      return { credentials, use: async () => (await credentials.headers('v2', soon()))['authorization'] };
    };
    let sold = 0;
    const sell = (lifeMs: number) => {
      sold = 0;
      answer = (_, response) => json(response, 201, { access_token: jwt(now + lifeMs, ++sold) });
    };

    it('is HTTP Basic with Airflow 2, masked as one text too', async () => {
      const pair = Buffer.from('ci:pass word').toString('base64');
      assert.deepEqual(await signedIn().credentials.headers('v1', soon()), { authorization: `Basic ${pair}` });
      assert.deepEqual(masked, ['pass word', pair]);
      assert.deepEqual(asked, []);
    });

    it('buys a token of Airflow 3, uses it while it lives, and shares one purchase', async () => {
      sell(24 * HOUR);
      const { use } = token();
      const [first, second] = await Promise.all([use(), use()]);
      now += 23 * HOUR;
      assert.deepEqual([second, await use()], [first, first]);
      assert.deepEqual(
        asked.map(({ path, body }) => [path, JSON.parse(body)]),
        [['/auth/token', login]],
      );
      assert.ok(masked.includes((first ?? '').slice('Bearer '.length)));
    });

    it('renews it before it expires, by what it says of itself', async () => {
      sell(HOUR);
      const { use } = token();
      const first = await use();
      now += HOUR - 299_000;
      assert.notEqual(await use(), first);
      assert.equal(asked.length, 2);
    });

    it('buys another after it was refused', async () => {
      sell(HOUR);
      const { use, credentials } = token();
      const first = await use();
      credentials.refused();
      assert.notEqual(await use(), first);
    });

    it('reads the password anew when it is not accepted, once', async () => {
      const passwords = ['old', 'new', 'newer'];
      const readCredential = async () => new Secret(passwords.shift() ?? 'none');
      answer = ({ body }, response) =>
        JSON.parse(body).password === 'new'
          ? json(response, 201, { access_token: jwt(now + HOUR, 1) })
          : json(response, 401, { detail: 'Invalid credentials' });
      assert.match((await token({ readCredential }).use()) ?? '', /^Bearer /);
      passwords.splice(0, passwords.length, 'a', 'b');
      const error = await refusalOf(token({ readCredential }).use);
      assert.equal(error.code, 'ERR_AIRFLOW_REFUSED');
      assert.deepEqual(passwords, []);
    });

    it('tells a sign-in without tokens from one that is away, and shows no password', async () => {
      for (const [status, code] of [
        [404, 'ERR_AIRFLOW_PROTOCOL'],
        [405, 'ERR_AIRFLOW_PROTOCOL'],
        [403, 'ERR_AIRFLOW_REFUSED'],
        [501, 'ERR_AIRFLOW_UNAVAILABLE'],
      ] as const) {
        answer = (_, response) => json(response, status, { detail: 'pass word' });
        const error = await refusalOf(token().use);
        assert.equal(error.code, code, String(status));
        assert.ok(!`${error.message} ${error.remedy} ${JSON.stringify(error.details)}`.includes('pass word'));
      }
    });

    it('takes nothing for a token that cannot be one', async () => {
      for (const value of [{}, { access_token: '' }, { access_token: 'a b' }, { access_token: 7 }, null, 'x', []]) {
        answer = (_, response) => json(response, 201, value);
        assert.equal((await refusalOf(token().use)).code, 'ERR_AIRFLOW_PROTOCOL', JSON.stringify(value));
      }
    });
  });

  describe('with what it cannot use', () => {
    const cases: readonly [string, string, Record<string, string>][] = [
      ['Token', 'http://airflow.internal', { apitoken: 'x' }],
      ['Token', 'https://user:pass@airflow.example.com', { apitoken: 'x' }],
      ['Token', 'https://airflow.example.com/?a=b', { apitoken: 'x' }],
      ['Token', 'airflow', { apitoken: 'x' }],
      ['Token', 'https://airflow.example.com', {}],
      ['UsernamePassword', 'https://airflow.example.com', { password: 'x' }],
      ['UsernamePassword', 'https://airflow.example.com', { username: 'ci' }],
      ['ManagedServiceIdentity', 'https://airflow.example.com', {}],
      ['None', 'https://airflow.example.com', { airflowName: 'prod' }],
      ['None', 'https://airflow.example.com', { gatewayUrl: 'https://gateway.example.com' }],
      ['None', 'https://airflow.example.com', { gatewayUrl: 'http://gateway.internal', airflowName: 'prod' }],
      ['None', 'https://airflow.example.com', { gatewayUrl: 'https://gateway.example.com', airflowName: '../x' }],
    ];
    for (const [scheme, address, given] of cases) {
      it(`refuses ${scheme} to ${address} with ${Object.keys(given).join(', ') || 'nothing'}`, async () => {
        const open = async () => airflowIdentity(connection(scheme, address, given), surroundings());
        const error = await refusalOf(open);
        assert.equal(error.code, 'ERR_CONNECTION_UNSUPPORTED');
        assert.ok(error.remedy);
      });
    }
  });
});
