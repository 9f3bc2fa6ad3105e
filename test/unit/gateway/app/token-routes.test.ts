import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { InjectOptions } from 'fastify';
import { PlumblineError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';
import { workerTokens } from '#gateway/auth/worker-tokens.ts';
import { identityRejected } from '#gateway/issuer/identity-rejected.ts';
import type { TaskToken, TaskTokenRequest } from '#gateway/issuer/task-tokens.ts';
import type { Worker } from '#gateway/workers/worker.ts';
import { bySocket } from '../../../support/task-token-client.ts';
import { callerNamed, gatewayWorld, type World } from './gateway-world.ts';

const RUN = '0199a7d2-8c5e-7a01-9d3b-5f8c2e1a4b60';
const WORKER: Worker = {
  id: `${RUN}.1`,
  kind: 'run',
  runId: RUN,
  attempt: 1,
  caller: callerNamed('good'),
  role: 'etl',
};
const STOCK: Worker = { ...WORKER, id: `${RUN}.0`, kind: 'stock', attempt: 0 };
const FORM = 'application/x-www-form-urlencoded';
const TOKENS = workerTokens(new Secret('k'.repeat(43)));
const FIELDS = {
  grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
  subject_token: TOKENS.issue(WORKER.id),
  subject_token_type: 'https://plumbline.dev/token-type/worker',
  task_family: 'Load',
  task_id: 'Load__1',
};
const body = (fields: Readonly<Record<string, string>> = {}) =>
  new URLSearchParams({ ...FIELDS, ...fields }).toString();

describe('POST /v1/token', () => {
  let world: World;
  let asked: TaskTokenRequest[];
  let answer: () => Promise<TaskToken>;
  beforeEach(async () => {
    asked = [];
    answer = async () => ({
      token: 'a.b.c',
      expiresAt: Date.now() + 600_000,
      renewAfterSeconds: 60,
      audience: 'vault',
      identity: 'loader',
      targets: [{ kind: 'file', audience: 'vault', variable: 'V' }],
    });
    world = await gatewayWorld(
      {},
      {
        workers: {
          find: (id) => [WORKER, STOCK].find((worker) => worker.id === id),
          uidOf: ({ kind }) => (kind === 'run' ? 61_001 : undefined),
          decide: () => assert.fail('not asked here'),
        },
        taskTokens: {
          exchange: async (_, wanted) => {
            asked.push(wanted);
            return answer();
          },
        },
      },
    );
  });
  afterEach(() => world.close());

  const post = (payload: string, headers: Readonly<Record<string, string>> = {}, more: InjectOptions = {}) =>
    world.app.inject({
      method: 'POST',
      url: '/v1/token',
      headers: { 'content-type': FORM, ...headers },
      payload,
      ...more,
    });

  it('answers as RFC 8693 has it', async () => {
    const given = await post(body({ audience: 'vault' }));
    const { expires_in, ...rest } = given.json();
    assert.ok(expires_in === 600 || expires_in === 599);
    assert.deepEqual(rest, {
      access_token: 'a.b.c',
      issued_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      token_type: 'N_A',
      plumbline: {
        identity: 'loader',
        audience: 'vault',
        renewAfter: 60,
        targets: [{ kind: 'file', audience: 'vault', variable: 'V' }],
      },
    });
    assert.deepEqual([given.statusCode, given.headers['cache-control']], [200, 'no-store']);
    const { requestId, ...wanted } = asked[0] ?? {};
    assert.deepEqual(wanted, { family: 'Load', taskId: 'Load__1', audience: 'vault' });
    assert.equal(requestId, given.headers['x-request-id']);
  });

  it('refuses in the words of RFC 6749, with what the worker has to do', async () => {
    answer = async () => {
      throw identityRejected({ reason: 'family', mode: 'report' });
    };
    const given = await post(body());
    const { error_description, ...rest } = given.json();
    assert.match(error_description, /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/);
    assert.deepEqual(rest, { error: 'access_denied', code: 'ERR_IDENTITY_REJECTED', reason: 'family', mode: 'report' });
    assert.deepEqual([given.statusCode, given.headers['cache-control']], [400, 'no-store']);
  });

  it('asks nobody for a token that is none, of a worker that does not live, or of a registered one', async () => {
    const cases = [
      [{ subject_token: 'plw_x' }, 'worker-token'],
      [{ subject_token: FIELDS.subject_token.replace('.1.', '.2.') }, 'worker-token'],
      [{ subject_token: TOKENS.issue(`${RUN}.2`) }, 'worker-unknown'],
      [{ subject_token: TOKENS.issue(STOCK.id) }, 'worker-unknown'],
    ] as const;
    for (const [fields, reason] of cases) {
      const given = await post(body(fields));
      const { error, reason: told, mode } = given.json();
      assert.deepEqual([given.statusCode, error, told, mode], [400, 'invalid_grant', reason, 'enforce']);
    }
    assert.deepEqual(asked, []);
    const events = world.audited.filter(({ type }) => type === 'dev.plumbline.identity.rejected');
    assert.deepEqual(
      events.map(({ subject, data }) => [subject, data['reason'], data['worker'], data['address']]),
      [
        [undefined, 'worker-token', undefined, '127.0.0.1'],
        [RUN, 'worker-unknown', `${RUN}.2`, '127.0.0.1'],
        [RUN, 'worker-unknown', `${RUN}.0`, '127.0.0.1'],
      ],
    );
  });

  it('gives nothing by the socket of another Unix user than the worker runs as, and says so on record', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'token-'));
    const headers = { 'content-type': FORM };
    const servers = [61_001, 61_002].map((uid) =>
      createServer(world.gateway.forWorkersOf(uid)).listen(join(folder, `${uid}`)),
    );
    try {
      await Promise.all(servers.filter(({ listening }) => !listening).map((server) => once(server, 'listening')));
      const ask = (uid: number) => bySocket(join(folder, `${uid}`), '/v1/token', body(), headers);
      assert.equal((await ask(61_001)).status, 200);
      assert.deepEqual(world.audited, []);
      const refused = await ask(61_002);
      const { error, reason } = JSON.parse(refused.text);
      assert.deepEqual([refused.status, error, reason, asked.length], [400, 'invalid_grant', 'other-user', 1]);
      const { type, subject, data } = world.audited[0] ?? assert.fail('it is on record');
      assert.deepEqual([type, subject], ['dev.plumbline.identity.rejected', RUN]);
      assert.deepEqual(data, {
        requestId: refused.headers['x-request-id'],
        address: undefined,
        uid: 61_002,
        worker: WORKER.id,
        reason: 'other-user',
        errorCode: 'ERR_IDENTITY_REJECTED',
        allowed: false,
      });
      assert.equal((await post(body())).statusCode, 200, 'by the listener it is worth what it is');
    } finally {
      for (const server of servers) server.close();
      rmSync(folder, { recursive: true });
    }
  });

  it('takes a form and nothing else', async () => {
    const good = body();
    for (const type of [
      'application/json',
      'text/plain',
      `${FORM}; charset=utf-8`,
      `${FORM};`,
      'multipart/form-data',
      `x${FORM}`,
    ]) {
      const given = await post(good, { 'content-type': type });
      assert.deepEqual([given.statusCode, given.json().code], [415, 'content-type-unsupported'], type);
    }
    const none = await world.app.inject({ method: 'POST', url: '/v1/token' });
    assert.equal(none.statusCode, 415);
    const empty = await post('');
    assert.deepEqual([empty.statusCode, empty.json().reason], [400, 'malformed']);
    const large = await post(`${good}&audience=${'a'.repeat(8_192)}`);
    assert.deepEqual([large.statusCode, large.json().code], [413, 'body-too-large']);
    const query = await post(good, {}, { url: '/v1/token?audience=x' });
    assert.deepEqual([query.statusCode, query.json().code], [400, 'request-invalid']);
    for (const path of ['/v1/token/', '/v1//token', '/v1/%74oken', '/V1/token'])
      assert.ok((await post(good, {}, { url: path })).statusCode >= 400, path);
    assert.deepEqual(asked, []);
  });

  it('needs no token in a header, and gives none a meaning', async () => {
    assert.equal((await post(body(), { authorization: 'Bearer good-alice' })).statusCode, 200);
    assert.equal((await post(body(), { authorization: 'Bearer bad' })).statusCode, 200);
  });

  it('may be tried again while nothing can be issued', async () => {
    for (const [code, problem] of [
      ['ERR_AUDIT_UNAVAILABLE', 'audit-unavailable'],
      ['ERR_ISSUER_UNAVAILABLE', 'issuer-unavailable'],
    ] as const) {
      answer = async () => {
        throw new PlumblineError(code, 'away');
      };
      const given = await post(body());
      assert.deepEqual([given.statusCode, given.json().code], [503, problem]);
      assert.match(String(given.headers['retry-after']), /^\d+$/);
    }
    world.faults.audit = new PlumblineError('ERR_AUDIT_UNAVAILABLE', 'away');
    assert.equal((await post(body({ subject_token: 'plw_x' }))).statusCode, 503);
    world.faults.serving = false;
    assert.equal((await post(body())).json().code, 'not-ready');
    world.faults.stopping = true;
    const given = await post(body());
    assert.deepEqual([given.json().code, given.headers['retry-after']], ['stopping', '2']);
  });

  it('bounds what the code of one run can put into the audit', async () => {
    const statuses = new Map<number, number>();
    for (let i = 0; i < 30_010; i += 10)
      for (const { statusCode } of await Promise.all(Array.from({ length: 10 }, () => post(body()))))
        statuses.set(statusCode, (statuses.get(statusCode) ?? 0) + 1);
    assert.deepEqual([...statuses].sort(), [
      [200, 30_000],
      [503, 10],
    ]);
  }).timeout(120_000);

  it('reads raw requests as one, or ends the connection', async () => {
    const { server } = world.app;
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const raw = async (text: string) => {
      const socket = connect(port, '127.0.0.1');
      socket.end(text);
      let given = '';
      for await (const part of socket) given += String(part);
      return given;
    };
    const good = body();
    const head = (more: readonly string[], length = good.length) =>
      [
        'POST /v1/token HTTP/1.1',
        'Host: g',
        'Connection: close',
        `Content-Type: ${FORM}`,
        `Content-Length: ${length}`,
        ...more,
        '',
        '',
      ].join('\r\n');
    assert.match(await raw(head([]) + good), /^HTTP\/1.1 200 /);
    const wrong = [
      head(['Content-Type: application/json']) + good,
      head(['Content-Length: 5']) + good,
      head(['Transfer-Encoding: chunked']) + good,
      head(['Transfer-Encoding: identity']) + good,
      head(['Content_Type: application/json']) + good,
      head(['Content-Type : text/plain']) + good,
      head(['X: a\rb']) + good,
      head([' folded: x']) + good,
      head([]).replace('HTTP/1.1', 'HTTP/1.2') + good,
      head([]).replace('POST /v1/token', 'POST http://g/v1/token') + good,
      head([]).replace('POST /v1/token', 'POST /v1/token#x') + good,
      head([]).replace('POST /v1/token', 'POST /v1/token%00') + good,
      head([]).replace('POST /v1/token', 'POST /x/../v1/token') + good,
      head([]).replace('POST /v1/token', 'GET /v1/token') + good,
      head([]).replace('POST /v1/token', 'PUT /v1/token') + good,
      head([]).replace('Host: g\r\n', '') + good,
    ];
    const before = asked.length;
    for (const text of wrong) assert.match(await raw(text), /^HTTP\/1.1 4\d\d /, text);
    assert.equal(asked.length, before);
    const two = head([]).replace('Connection: close', 'Connection: keep-alive') + good + head([]) + good;
    assert.equal((await raw(two)).match(/HTTP\/1.1 200 /g)?.length, 2);
  });
});
