import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import type { InjectOptions } from 'fastify';
import { PlumblineError } from '#core/errors.ts';
import { PROBLEMS } from '#gateway/app/problem.ts';
import {
  BODY,
  callerNamed,
  createdRun,
  GOOD,
  gatewayWorld,
  LIMITS,
  OUTCOME,
  TASK,
  type World,
} from './gateway-world.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
const KEY = { 'idempotency-key': 'k' } as const;

describe('the API of the gateway', () => {
  let world: World;
  beforeEach(async () => {
    world = await gatewayWorld();
  });
  afterEach(() => world.close());

  async function code(request: InjectOptions): Promise<string> {
    const answer = await world.app.inject(request);
    const { code: name, status } = answer.json() as { code: keyof typeof PROBLEMS; status: number };
    assert.equal(answer.headers['content-type'], 'application/problem+json; charset=utf-8');
    assert.equal(answer.statusCode, status);
    assert.equal(status, PROBLEMS[name]);
    return name;
  }

  describe('lets nobody in without a token', () => {
    it('on any route but the four that say so, whatever the method', async () => {
      const open = ['/v1/about', '/v1/openapi.json', '/healthz', '/readyz'];
      for (const url of open) assert.equal((await world.app.inject(url)).statusCode, 200, url);
      const id = '00000000-0000-7000-8000-000000000000';
      const closed = [
        '/',
        '/v1',
        '/v1/runs',
        `/v1/runs/${id}`,
        `/v1/runs/${id}/events`,
        '/v1/no',
        '/metrics',
        '/v1/about/',
      ];
      const all = [...METHODS.flatMap((method) => closed.map((url) => ({ method, url })))];
      const others = METHODS.filter((method) => !['GET', 'HEAD'].includes(method));
      all.push(...others.flatMap((method) => open.map((url) => ({ method, url }))));
      for (const request of all)
        assert.equal((await world.app.inject(request)).statusCode, 401, JSON.stringify(request));
      assert.deepEqual(world.audited, []);
    });

    it('with a challenge as RFC 6750 has it, and never with a redirect', async () => {
      const missing = await world.app.inject('/v1/runs');
      assert.equal(missing.headers['www-authenticate'], 'Bearer realm="plumbline"');
      const bad = await world.app.inject({ url: '/v1/runs', headers: { authorization: 'Bearer bad' } });
      assert.match(String(bad.headers['www-authenticate']), /^Bearer realm="plumbline", error="invalid_token"/);
      assert.equal(bad.headers['location'], undefined);
      assert.equal(bad.json().reason, 'signature');
    });

    it('with credentials of another scheme or form', async () => {
      for (const authorization of [
        '',
        'Bearer',
        'Bearer ',
        'Basic Z29vZA==',
        'good-alice',
        'Bearer good alice',
        'Bearer good,x',
        'Token good',
      ])
        assert.equal(await code({ url: '/v1/runs', headers: { authorization } }), 'token-missing', authorization);
    });

    it('and puts a refused token on record by its hash', async () => {
      await world.app.inject({ url: '/v1/runs', headers: { authorization: 'Bearer bad-token' } });
      const [event] = world.audited;
      assert.equal(event?.type, 'dev.plumbline.token.refused');
      assert.equal(event?.data['tokenHash'], createHash('sha256').update('bad-token').digest('hex'));
      assert.equal(event?.data['reason'], 'signature');
      assert.ok(!JSON.stringify(event).includes('bad-token'));
    });

    it('and refuses a good token when its use cannot be recorded', async () => {
      world.faults.audit = new PlumblineError('ERR_AUDIT_UNAVAILABLE', 'The disk is full');
      assert.equal(await code({ url: '/v1/runs', headers: GOOD }), 'audit-unavailable');
    });

    it('while it recovers and when it stops', async () => {
      world.faults.serving = false;
      assert.equal(await code({ url: '/v1/runs', headers: GOOD }), 'not-ready');
      assert.equal((await world.app.inject('/readyz')).statusCode, 503);
      assert.equal((await world.app.inject('/healthz')).statusCode, 200);
      world.faults.stopping = true;
      assert.equal(await code({ url: '/v1/runs', headers: GOOD }), 'stopping');
    });
  });

  describe('takes a token', () => {
    it('of use once for one request, and again for the very same one', async () => {
      const once = { authorization: 'Bearer once-1alice', ...KEY };
      const create = { method: 'POST', url: '/v1/runs', headers: once, payload: BODY } as const;
      assert.equal((await world.app.inject(create)).statusCode, 201);
      assert.equal((await world.app.inject(create)).statusCode, 200);
      assert.equal(await code({ ...create, payload: { ...BODY, task: 'Other' } }), 'token-used');
      assert.equal(await code({ ...create, headers: { ...once, 'idempotency-key': 'other' } }), 'token-used');
      assert.equal(await code({ url: '/v1/runs', headers: once }), 'token-used');
      assert.ok(world.audited.some(({ data }) => data['reason'] === 'used'));
    });

    it('of use once away with run facts that were used', async () => {
      const facts = (token: string) => ({ authorization: `Bearer ${token}`, 'plumbline-run-facts': 'once-1pipeline' });
      const create = {
        method: 'POST',
        url: '/v1/runs',
        headers: { ...facts('good-a'), ...KEY },
        payload: BODY,
      } as const;
      assert.equal((await world.app.inject(create)).statusCode, 201);
      assert.equal(await code({ ...create, headers: { ...facts('good-b'), 'idempotency-key': 'b' } }), 'token-used');
    });

    it('of a run for that run only', async () => {
      const { id, runToken } = await createdRun(world);
      const other = await createdRun(world, 'k2');
      const headers = { authorization: `Bearer ${runToken}` };
      assert.equal((await world.app.inject({ url: `/v1/runs/${id}`, headers })).statusCode, 200);
      assert.equal(await code({ url: `/v1/runs/${other.id}`, headers }), 'run-unknown');
      assert.equal(await code({ url: '/v1/runs', headers }), 'token-scope');
      const create = { method: 'POST', url: '/v1/runs', headers: { ...headers, ...KEY }, payload: BODY } as const;
      assert.equal(await code(create), 'token-scope');
      const renewed = await world.app.inject({ method: 'POST', url: `/v1/runs/${id}/token`, headers });
      assert.equal(renewed.statusCode, 200);
      world.runs.tell(id, { kind: 'outcome', outcome: OUTCOME });
      assert.equal(await code({ method: 'POST', url: `/v1/runs/${id}/token`, headers }), 'token-scope');
      assert.equal(
        (await world.app.inject({ method: 'POST', url: `/v1/runs/${id}/token`, headers: GOOD })).statusCode,
        200,
      );
    });

    it('of a run not when one character differs', async () => {
      const { id, runToken } = await createdRun(world);
      for (let at = 4; at < runToken.length; at += 3) {
        const changed = runToken.slice(0, at) + (runToken[at] === '0' ? '1' : '0') + runToken.slice(at + 1);
        const answer = await world.app.inject({
          url: `/v1/runs/${id}`,
          headers: { authorization: `Bearer ${changed}` },
        });
        assert.equal(answer.statusCode, 401, changed);
      }
    });

    it('of old until its end, under its name', async () => {
      await world.close();
      const sha256 = createHash('sha256').update('shared-secret').digest('hex');
      let until = Date.now() + 60_000;
      world = await gatewayWorld({}, { legacy: () => [{ name: 'cron', sha256, until }] });
      const headers = { authorization: 'Bearer shared-secret' };
      assert.equal((await world.app.inject({ url: '/v1/runs', headers })).statusCode, 200);
      until = Date.now() - 1;
      assert.equal(await code({ url: '/v1/runs', headers }), 'token-untrusted');
    });

    it('and no run facts beside one that no issuer signed', async () => {
      const { id, runToken } = await createdRun(world);
      const headers = { authorization: `Bearer ${runToken}`, 'plumbline-run-facts': 'once-1p' };
      assert.equal(await code({ url: `/v1/runs/${id}`, headers }), 'header-ambiguous');
    });
  });

  describe('answers with a problem', () => {
    it('to what it does not know', async () => {
      assert.equal(await code({ url: '/v1/nothing', headers: GOOD }), 'not-found');
      assert.equal(await code({ url: '/v1/runs/', headers: GOOD }), 'request-invalid');
      assert.equal(await code({ url: '/V1/runs', headers: GOOD }), 'not-found');
      const answer = await world.app.inject({ method: 'DELETE', url: '/v1/runs', headers: GOOD });
      assert.equal(answer.statusCode, 405);
      assert.equal(answer.headers['allow'], 'GET, HEAD, OPTIONS, POST');
      const options = await world.app.inject({ method: 'OPTIONS', url: '/v1/runs', headers: GOOD });
      assert.deepEqual([options.statusCode, options.body], [204, '']);
      assert.equal(await code({ url: '/v1/runs/00000000-0000-7000-8000-000000000000', headers: GOOD }), 'run-unknown');
      assert.equal(await code({ url: '/v1/runs/no-id', headers: GOOD }), 'request-invalid');
    });

    const create = (payload: string, type = 'application/json', headers: object = KEY) =>
      ({ method: 'POST', url: '/v1/runs', headers: { ...GOOD, ...headers, 'content-type': type }, payload }) as const;

    it('to bodies that are none', async () => {
      for (const body of ['', '{', '[1,', 'null x', '{"a":1}}', '\uFEFF{', "{'a':1}"])
        assert.equal(await code(create(body)), 'body-malformed', body);
      for (const body of ['{"__proto__":{"x":1}}', '{"constructor":{"prototype":{}}}'])
        assert.equal(await code(create(body)), 'body-malformed', body);
      const withDate = (date: string) => `{"role":"etl","module":"m","task":"T","parameters":{"date":${date}}}`;
      const deep = '['.repeat(3_000) + ']'.repeat(3_000);
      for (const date of ['1e400', '12345678901234567890', '"\\ud800"', '1,"\\u0064ate":2', deep])
        assert.equal(await code(create(withDate(date))), 'body-malformed', date);
      const latin1 = { ...create(''), payload: Buffer.from(withDate('"\u00e9"'), 'latin1') };
      assert.equal(await code(latin1), 'body-malformed', 'a byte that is no UTF-8 is not replaced');
      for (const type of [
        'text/plain',
        'application/xml',
        'application/jsonx',
        'multipart/form-data; boundary=x',
        'application/gzip',
        'a',
      ])
        assert.equal(await code(create('{}', type)), 'content-type-unsupported', type);
      assert.equal(
        await code(create(JSON.stringify({ ...BODY, claimed: { a: 'x'.repeat(LIMITS.bodyBytes) } }))),
        'body-too-large',
      );
    });

    it('to bodies of another shape, naming the field and never its value', async () => {
      const wrong: readonly (readonly [object, RegExp])[] = [
        [{}, /body\.(role|module|task)/],
        [{ ...BODY, extra: 1 }, /not known/],
        [{ ...BODY, workers: '2' }, /body\.workers/],
        [{ ...BODY, workers: 0 }, /body\.workers/],
        [{ ...BODY, workers: 1.5 }, /body\.workers/],
        [{ ...BODY, module: 'a; import os' }, /body\.module/],
        [{ ...BODY, task: '../x' }, /body\.task/],
        [{ ...BODY, parameters: { 'a b': 1 } }, /body\.parameters/],
        [{ ...BODY, claimed: { a: 1 } }, /body\.claimed\.a/],
        [{ ...BODY, bundle: 'A'.repeat(64) }, /body\.bundle/],
        [{ ...BODY, timeoutMs: -1 }, /body\.timeoutMs/],
      ];
      for (const [payload, field] of wrong) {
        const answer = await world.app.inject(create(JSON.stringify(payload)));
        assert.equal(answer.json().code, 'request-invalid');
        assert.match(answer.body, field);
        assert.doesNotMatch(answer.body, /import os/);
      }
      assert.equal(world.runs.all.size, 0);
    });

    it('to a run without a key, and to a key that is none', async () => {
      const body = JSON.stringify(BODY);
      assert.equal(await code(create(body, 'application/json', {})), 'idempotency-key-missing');
      for (const key of ['', 'x'.repeat(256), 'ä', 'a\tb'])
        assert.match(
          await code(create(body, 'application/json', { 'idempotency-key': key })),
          /request-invalid|idempotency-key-missing/,
        );
    });

    it('to a query that it does not know', async () => {
      for (const query of [
        'limit=0',
        'limit=201',
        'limit=x',
        'state=done',
        'since=-1',
        'foo=1',
        'limit=1&limit=2',
        'key=',
      ])
        assert.equal(await code({ url: `/v1/runs?${query}`, headers: GOOD }), 'request-invalid', query);
    });

    it('to an error that nobody foresaw, without a word of it', async () => {
      world.runs.list = async () => {
        throw new Error('secret of the store');
      };
      const answer = await world.app.inject({ url: '/v1/runs', headers: GOOD });
      assert.equal(answer.json().code, 'unexpected');
      assert.doesNotMatch(answer.body, /secret of the store/);
    });

    it('to headers that stand twice, or are written with an underscore', async () => {
      for (const headers of [
        { ...GOOD, Plumbline_Run_Facts: 'x' },
        { ...GOOD, Idempotency_Key: 'x' },
        { ...GOOD, last_event_id: '1' },
      ])
        assert.equal(await code({ url: '/v1/runs', headers }), 'header-ambiguous');
    });
  });

  describe('limits', () => {
    it('how often an address asks before its token is looked at, and how often a caller', async () => {
      await world.close();
      world = await gatewayWorld({ limits: { ...LIMITS, requestsPerAddress: 4, requestsPerCaller: 2 } });
      const ask = (token: string) =>
        world.app.inject({ url: '/v1/runs', headers: { authorization: `Bearer ${token}` } });
      assert.equal((await ask('good-a')).statusCode, 200);
      assert.equal((await ask('good-a')).statusCode, 200);
      const third = await ask('good-a');
      assert.equal(third.statusCode, 429);
      assert.match(String(third.headers['retry-after']), /^\d+$/);
      assert.equal((await ask('good-b')).statusCode, 200);
      const before = world.audited.length;
      assert.equal((await ask('bad')).statusCode, 429);
      assert.equal(world.audited.length, before);
    });

    it('reads on record to one for a token, run and minute', async () => {
      const { id } = await createdRun(world);
      for (let i = 0; i < 5; i++) await world.app.inject({ url: `/v1/runs/${id}`, headers: GOOD });
      const reads = world.audited.filter(({ type }) => type === 'dev.plumbline.read.access');
      assert.deepEqual(
        reads.map(({ subject }) => subject),
        [id],
      );
    });
  });

  describe('behind a proxy', () => {
    beforeEach(async () => {
      await world.close();
      world = await gatewayWorld({ trustedProxies: ['10.0.0.0/8'], limits: { ...LIMITS, requestsPerAddress: 1 } });
    });

    it('takes tokens through it only', async () => {
      const direct = {
        url: '/v1/runs',
        headers: { ...GOOD, 'x-forwarded-for': '10.1.1.1' },
        remoteAddress: '192.0.2.1',
      };
      assert.equal(await code(direct), 'proxy-bypassed');
      const through = { ...direct, remoteAddress: '10.0.0.1' };
      assert.equal((await world.app.inject(through)).statusCode, 200);
    });

    it('counts by the address that the proxy names, and by none that a caller makes up', async () => {
      const ask = (forwarded: string, remoteAddress = '10.0.0.1') =>
        world.app.inject({ url: '/v1/about', headers: { 'x-forwarded-for': forwarded }, remoteAddress });
      assert.equal((await ask('192.0.2.7')).statusCode, 200);
      assert.equal((await ask('198.51.100.1, 192.0.2.7')).statusCode, 429);
      assert.equal((await ask('192.0.2.8')).statusCode, 200);
      assert.equal((await ask('192.0.2.9', '192.0.2.100')).statusCode, 200);
      assert.equal((await ask('192.0.2.10', '192.0.2.100')).statusCode, 429);
    });
  });

  describe('shows', () => {
    it('a run without what only the gateway needs', async () => {
      const { id } = await createdRun(world);
      const run = (await world.app.inject({ url: `/v1/runs/${id}`, headers: GOOD })).json();
      assert.equal(run.scope, undefined);
      assert.equal(run.fingerprint, undefined);
      assert.equal(run.links.events, `/v1/runs/${id}/events`);
    });

    it('output in parts, each byte at its place and no command in any', async () => {
      const { id } = await createdRun(world);
      const text = `${'x'.repeat(300_000)}\n##vso[task.complete]\u00e9##[error]\n`;
      world.runs.write(id, text);
      const url = `/v1/runs/${id}/logs`;
      const whole = await world.app.inject({ url, headers: GOOD });
      assert.equal(whole.headers['content-type'], 'text/plain; charset=utf-8');
      assert.equal(whole.rawPayload.length, Buffer.byteLength(text));
      assert.doesNotMatch(whole.body, /##vso|##\[/);
      const size = whole.rawPayload.length;
      for (const [range, start, end] of [
        ['bytes=0-9', 0, 10],
        ['bytes=299999-', 299_999, size],
        ['bytes=-5', size - 5, size],
        ['bytes=300003-300010', 300_003, 300_011],
        [`bytes=0-${10 * size}`, 0, size],
      ] as const) {
        const part = await world.app.inject({ url, headers: { ...GOOD, range } });
        assert.equal(part.statusCode, 206, range);
        assert.equal(part.headers['content-range'], `bytes ${start}-${end - 1}/${size}`);
        assert.deepEqual(part.rawPayload, whole.rawPayload.subarray(start, end), range);
      }
      for (const range of [`bytes=${size}-`, 'bytes=-0']) {
        const answer = await world.app.inject({ url, headers: { ...GOOD, range } });
        assert.equal(answer.statusCode, 416);
        assert.equal(answer.headers['content-range'], `bytes */${size}`);
      }
      for (const range of ['bytes=5-1', 'bytes=0-1,3-4', 'lines=1-2', 'bytes=x-', 'bytes=-'])
        assert.equal((await world.app.inject({ url, headers: { ...GOOD, range } })).statusCode, 200, range);
      const conditional = { ...GOOD, range: 'bytes=0-1', 'if-range': '"x"' };
      assert.equal((await world.app.inject({ url, headers: conditional })).statusCode, 200);
    });

    it('graph and lineage when they are known', async () => {
      const { id } = await createdRun(world);
      assert.equal(await code({ url: `/v1/runs/${id}/graph`, headers: GOOD }), 'graph-unknown');
      assert.equal(await code({ url: `/v1/runs/${id}/lineage`, headers: GOOD }), 'run-not-ended');
      world.runs.tell(
        id,
        { kind: 'task', task: TASK, previous: undefined, at: 1 },
        { kind: 'outcome', outcome: OUTCOME },
      );
      assert.equal((await world.app.inject({ url: `/v1/runs/${id}/graph`, headers: GOOD })).json().root, TASK.id);
      assert.equal((await world.app.inject({ url: `/v1/runs/${id}/lineage`, headers: GOOD })).statusCode, 200);
    });
  });

  it('takes a bundle of its one type, within the size of its role', async () => {
    const bytes = Buffer.from('code');
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    const put = (url: string, payload: Buffer, type = 'application/gzip') =>
      ({ method: 'PUT', url, headers: { ...GOOD, 'content-type': type }, payload }) as const;
    const url = `/v1/bundles/${sha256}?role=etl`;
    const stored = await world.app.inject(put(url, bytes));
    assert.deepEqual([stored.statusCode, stored.json()], [201, { sha256, size: 4 }]);
    assert.equal(await code(put(url, bytes, 'application/json')), 'content-type-unsupported');
    assert.equal(await code(put(`/v1/bundles/${sha256}`, bytes)), 'request-invalid');
    assert.equal(await code(put(`/v1/bundles/${sha256}?role=forbidden`, bytes)), 'run-denied');
    assert.equal(await code(put(url, Buffer.alloc(1_001))), 'body-too-large');
    assert.equal(await code(put('/v1/bundles/nothing?role=etl', bytes)), 'request-invalid');
  });

  it('keeps every canary out of log and audit at the lowest level', async () => {
    const canary = 'canary7b1f';
    world.callers.set(`good-${canary}`, callerNamed('good-x'));
    const headers = { authorization: `Bearer good-${canary}`, 'x-other': canary, cookie: canary };
    await world.app.inject({ url: `/v1/runs?key=${canary}`, headers });
    await world.app.inject({ url: `/v1/runs/${canary}`, headers });
    await world.app.inject({ url: `/${canary}`, headers });
    for (const payload of [
      `{"${canary}":`,
      JSON.stringify({ ...BODY, parameters: { date: canary }, [canary]: canary }),
    ])
      await world.app.inject({
        method: 'POST',
        url: '/v1/runs',
        headers: { ...headers, 'idempotency-key': canary, 'content-type': 'application/json' },
        payload,
      });
    await world.app.inject({ url: '/v1/runs', headers: { authorization: `Bearer ${canary}` } });
    assert.ok(world.log.length > 5);
    assert.deepEqual(
      world.log.filter((line) => line.includes(canary)),
      [],
    );
    assert.deepEqual(
      world.audited.filter((event) => JSON.stringify(event).includes(canary)),
      [],
    );
  });
});
