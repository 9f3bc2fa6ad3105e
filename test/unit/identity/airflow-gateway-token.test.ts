import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { PlumblineError } from '#core/errors.ts';
import type { Secret } from '#core/secret.ts';
import { createHttp } from '#http/http.ts';
import { gatewayTokenCredentials } from '#identity/airflow-gateway-token.ts';
import { type Loopback, serve } from '../../support/loopback.ts';

const AIRFLOW = 'https://airflow.example.com/prod';
const soon = () => AbortSignal.timeout(10_000);

describe('a token of an Airflow from a gateway', () => {
  let server: Loopback;
  let answer: (response: ServerResponse) => void;
  let asked: string[];
  let masked: string[];
  let now: number;
  before(async () => {
    server = await serve((request, response) => {
      asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
      answer(response);
    });
  });
  after(() => server.close());
  beforeEach(() => {
    asked = [];
    masked = [];
    now = 0;
  });

  const json = (response: ServerResponse, status: number, value: unknown, type = 'application/json') =>
    response.writeHead(status, { 'content-type': type }).end(JSON.stringify(value));
  const good = (more = {}) => ({
    access_token: `t${asked.length}`,
    token_type: 'Bearer',
    expires_in: 600,
    url: AIRFLOW,
    ...more,
  });

  function credentials(name = 'prod') {
    let proofs = 0;
    return gatewayTokenCredentials({
      // An ID token is good for one request: each exchange has to have a new one.
      gateway: { url: server.url, headers: async () => ({ authorization: `Bearer proof-${++proofs}` }) },
      name,
      airflowUrl: AIRFLOW,
      http: createHttp({ skipVerification: false }),
      mask: (secret: Secret) => masked.push(secret.reveal()),
      clock: { now: () => now, sleep: async () => undefined },
    });
  }

  async function refusal(): Promise<PlumblineError> {
    const thrown = await credentials()
      .headers('v2', soon())
      .then(
        () => assert.fail('it was taken'),
        (error: unknown) => error,
      );
    assert(thrown instanceof PlumblineError, String((thrown as Error).stack));
    return thrown;
  }

  it('is asked for by name, masked, and used for half of its life', async () => {
    answer = (response) => json(response, 200, good());
    const { headers } = credentials();
    assert.deepEqual(await headers('v2', soon()), { authorization: 'Bearer t1' });
    now += 299_000;
    assert.deepEqual(await headers('v2', soon()), { authorization: 'Bearer t1' });
    now += 2_000;
    assert.deepEqual(await headers('v2', soon()), { authorization: 'Bearer t2' });
    assert.deepEqual(asked, [
      'POST /v1/airflow/prod/token Bearer proof-1',
      'POST /v1/airflow/prod/token Bearer proof-2',
    ]);
    assert.deepEqual(masked, ['t1', 't2']);
  });

  it('is another one after it was refused', async () => {
    answer = (response) => json(response, 200, good());
    const { headers, refused } = credentials();
    await headers('v2', soon());
    refused();
    assert.deepEqual(await headers('v2', soon()), { authorization: 'Bearer t2' });
  });

  it('goes to the address that the gateway names, and nowhere else', async () => {
    answer = (response) => json(response, 200, good({ url: 'https://airflow.example.com' }));
    await credentials().headers('v2', soon());
    answer = (response) => json(response, 200, good({ url: 'https://airflow.example.com/prod/' }));
    await credentials().headers('v2', soon());
    for (const url of [
      'https://airflow.example.org',
      'http://airflow.example.com',
      'https://airflow.example.com:8443',
      'https://airflow.example.com/another',
      'https://airflow.example.com/prod2',
      'https://airflow.example.com/pro',
    ]) {
      answer = (response) => json(response, 200, good({ url }));
      assert.equal((await refusal()).code, 'ERR_IDENTITY_HOST_NOT_ALLOWED', url);
    }
  });

  for (const [what, more] of [
    ['no address', { url: undefined }],
    ['an address that is none', { url: 'airflow' }],
    ['no token', { access_token: undefined }],
    ['a token with a line break', { access_token: 'a\r\nx: y' }],
    ['another type', { token_type: 'mac' }],
    ['no life', { expires_in: 0 }],
    ['a life of a day', { expires_in: 86_400 }],
    ['a life that is text', { expires_in: '600' }],
  ] as const) {
    it(`is not taken from an answer with ${what}`, async () => {
      answer = (response) => json(response, 200, good(more));
      assert.equal((await refusal()).code, 'ERR_GATEWAY_PROTOCOL');
    });
  }

  it('tells why the gateway gave none, with a remedy', async () => {
    const problem = { title: 'Not allowed', code: 'airflow-denied', reason: 'no-binding', requestId: 'r-1' };
    answer = (response) => json(response, 403, problem, 'application/problem+json');
    const denied = await refusal();
    assert.equal(denied.code, 'ERR_GATEWAY_REFUSED');
    assert.match(
      denied.message,
      /did not give a token of the Airflow 'prod': Not allowed \(airflow-denied, request r-1\)/,
    );
    assert.match(denied.remedy ?? '', /policy for a binding/);
    answer = (response) =>
      json(response, 404, { title: 'Unknown', code: 'airflow-unknown' }, 'application/problem+json');
    assert.match((await refusal()).remedy ?? '', /name of the Airflow in the service connection/);
  });
});
