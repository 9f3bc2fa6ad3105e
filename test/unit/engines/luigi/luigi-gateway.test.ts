import assert from 'node:assert/strict';
import type { Clock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import type { GatewayRunRequest } from '#engines/luigi/gateway-request.ts';
import { failure } from '../../../support/plumbline-failure.ts';
import {
  type Answer,
  issueTokens,
  json,
  problem,
  RUN_ID,
  ScriptedGateway,
  SIGNAL,
  sampleRecord,
  sendEvents,
  updatesOf,
} from '../../../support/scripted-gateway.ts';

const REQUEST: GatewayRunRequest = {
  id: 'key',
  attempt: '1.1',
  role: 'nightly',
  module: 'm',
  task: 'T',
  parameters: { day: '2026-11-20' },
  workers: 2,
  timeoutMs: 60_000,
  claimed: { commit: 'abc' },
};
const REF = { id: 'key', engine: 'luigi-gateway', handle: RUN_ID };
const OUTCOME = {
  kind: 'outcome',
  outcome: {
    state: 'succeeded',
    verified: 'confirmed',
    findings: [],
    startedAt: 1,
    endedAt: 2,
    engine: { name: 'luigi', adapterVersion: '1' },
  },
};
const STORY = [{ kind: 'state', state: 'queued', at: 1 }, { kind: 'state', state: 'running', at: 2 }, OUTCOME];

/** Waits pass at once. */
function hurried(): Clock & { at: number } {
  const clock = {
    at: 1_000_000,
    now: () => clock.at,
    sleep: async (ms: number) => {
      clock.at += ms;
    },
  };
  return clock;
}

describe('luigi-gateway', () => {
  const open: ScriptedGateway[] = [];
  const gateway = async (answer: Answer, tokens?: Answer) => {
    const started = await ScriptedGateway.start(answer, tokens);
    open.push(started);
    return started;
  };
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()));
  });
  const errorOf = async (work: Promise<unknown>): Promise<PlumblineError> => {
    const thrown = await work.then(
      () => assert.fail('it did not fail'),
      (error: unknown) => error,
    );
    assert.ok(thrown instanceof PlumblineError, String(thrown));
    return thrown;
  };

  it('starts a run under its key, with everything that it is asked for and nothing else', async () => {
    const one = await gateway((_, response) =>
      json(response, 201, {
        ...sampleRecord({ state: 'queued' }),
        runToken: 'run-token-of-creation',
        runTokenExpiresAt: Date.now() + 1e6,
      }),
    );
    assert.deepEqual(await one.engine().start(REQUEST, SIGNAL), REF);
    const [asked] = one.asked;
    assert.deepEqual(
      [asked?.method, asked?.path, asked?.headers['idempotency-key'], asked?.authorization],
      ['POST', '/v1/runs', 'key', 'Bearer caller-1'],
    );
    const { id: _, ...specification } = REQUEST;
    assert.deepEqual(JSON.parse(asked?.body ?? ''), specification);
    assert.deepEqual(one.masked, ['run-token-of-creation']);
  });

  it('sends the same request again, with the same token, when nobody knows whether it arrived', async () => {
    let calls = 0;
    const one = await gateway((_, response) => {
      calls += 1;
      if (calls === 1) response.destroy();
      else if (calls === 2) problem(response, 503, { code: 'not-ready' });
      else json(response, 201, sampleRecord());
    });
    await one.engine().start(REQUEST, SIGNAL);
    assert.equal(one.asked.length, 3);
    assert.equal(
      new Set(
        one.asked.map(({ authorization, body, headers }) =>
          JSON.stringify([authorization, body, headers['idempotency-key']]),
        ),
      ).size,
      1,
    );
  });

  it('finds by key, escaped', async () => {
    const one = await gateway(({ path }, response) =>
      json(response, 200, { runs: path.includes('none') ? [] : [sampleRecord({ key: 'key~2 &x', state: 'failed' })] }),
    );
    const found = await one.engine().find('key~2 &x', SIGNAL);
    assert.deepEqual(found, { ref: { ...REF, id: 'key~2 &x' }, state: 'failed', attempt: '1.1' });
    assert.equal(one.asked[0]?.path, '/v1/runs?key=key~2%20%26x&limit=1');
    assert.equal(await one.engine().find('none', SIGNAL), undefined);
  });

  it('follows by event stream alone: one request for the run, one for the token, one for the stream', async () => {
    const one = await gateway(({ path }, response) =>
      path.endsWith('/events') ? sendEvents(response, STORY) : json(response, 200, sampleRecord()),
    );
    const updates = await updatesOf(one.engine());
    assert.deepEqual(
      updates.map(({ kind }) => kind),
      ['state', 'state', 'outcome'],
    );
    assert.deepEqual(
      one.asked.map(({ method, path }) => `${method} ${path.slice(`/v1/runs/${RUN_ID}`.length)}`),
      ['POST /token', 'GET ', 'GET /events'],
    );
    assert.equal(one.asked[2]?.authorization, 'Bearer run-token-number-1');
  });

  it('resumes behind the last update, with a new token when the old one is not accepted any more', async () => {
    let streams = 0;
    const one = await gateway((asked, response) => {
      if (!asked.path.endsWith('/events')) return json(response, 200, sampleRecord());
      streams += 1;
      if (streams === 1) return sendEvents(response, STORY.slice(0, 2));
      if (asked.authorization === 'Bearer run-token-number-1') return problem(response, 401, { code: 'token-expired' });
      assert.equal(asked.headers['last-event-id'], '2');
      sendEvents(response, STORY.slice(2), 3);
    });
    assert.equal((await updatesOf(one.engine({ clock: hurried() }))).length, 3);
    assert.deepEqual(one.masked, ['run-token-number-1', 'run-token-number-2']);
  });

  it('is patient with a page that somebody serves in place of the gateway for a while', async () => {
    let streams = 0;
    const one = await gateway(({ path }, response) => {
      if (!path.endsWith('/events')) return json(response, 200, sampleRecord());
      streams += 1;
      if (streams === 1) response.writeHead(200, { 'content-type': 'text/html' }).end('<html>back soon</html>');
      else if (streams === 2) response.writeHead(404, { 'content-type': 'text/plain' }).end('no backend');
      else sendEvents(response, STORY);
    });
    assert.equal((await updatesOf(one.engine({ clock: hurried() }))).length, 3);
  });

  it('renews a token before it expires, each time with credentials of its own', async () => {
    const clock = hurried();
    const one = await gateway(
      (_, response) => json(response, 200, { answer: 'stopped', run: sampleRecord() }),
      issueTokens(60_000, clock.now),
    );
    const engine = one.engine({ clock });
    for (let call = 0; call < 3; call += 1) {
      assert.equal(await engine.cancel(REF, 'deadline'), 'stopped');
      clock.at += 31_000;
    }
    const tokens = one.asked.filter(({ path }) => path.endsWith('/token')).map(({ authorization }) => authorization);
    assert.deepEqual(tokens, ['Bearer caller-1', 'Bearer caller-2', 'Bearer caller-3']);
    assert.deepEqual(JSON.parse(one.asked.at(-1)?.body ?? ''), { reason: 'deadline' });
  });

  it('does not go on asking with tokens that are refused', async () => {
    const one = await gateway((_, response) =>
      problem(response, 401, { code: 'token-untrusted', title: 'Unauthorized' }),
    );
    const error = await errorOf(updatesOf(one.engine({ clock: hurried() })));
    assert.deepEqual([error.code, error.details['gatewayCode']], ['ERR_GATEWAY_REFUSED', 'token-untrusted']);
    assert.equal(one.asked.length, 4, 'a token, refused, another token, refused');
  });

  it('tells of a refusal with code, title, request and a remedy', async () => {
    const one = await gateway((_, response) => problem(response, 403, { detail: 'no binding admits it' }));
    const error = await errorOf(one.engine().start(REQUEST, SIGNAL));
    assert.equal(error.code, 'ERR_GATEWAY_REFUSED');
    assert.match(
      error.message,
      /did not start the run key: Forbidden: no binding admits it \(run-denied, request req-1\)$/,
    );
    assert.match(error.remedy ?? '', /binding of this pipeline to the role/);
  });

  it('calls a gateway that stays unavailable so', async () => {
    const one = await gateway((_, response) =>
      problem(response, 503, { code: 'audit-unavailable', title: 'Service Unavailable' }),
    );
    const error = await errorOf(one.engine().start(REQUEST, SIGNAL));
    assert.deepEqual([error.code, error.family], ['ERR_GATEWAY_UNAVAILABLE', 'transient']);
    assert.match(error.remedy ?? '', /readyz/);
  });

  it('makes one line of what a hostile gateway says, and takes no code of ours from it', async () => {
    const one = await gateway((_, response) =>
      problem(response, 403, {
        title: `a\r\n##vso[task.complete]${'x'.repeat(9_000)}`,
        code: 'ERR_PUBLISH_FAILED',
        requestId: '../\n',
        detail: { deep: true },
      }),
    );
    const error = await errorOf(one.engine().start(REQUEST, SIGNAL));
    assert.equal(error.code, 'ERR_GATEWAY_REFUSED');
    assert.ok(error.message.length < 700 && !/[\r\n]/.test(error.message));
    assert.doesNotMatch(error.message, /ERR_PUBLISH|\.\.\//);
  });

  const HOSTILE: Readonly<Record<string, Answer>> = {
    'a redirect to a sign-in page': (_, response) =>
      void response.writeHead(302, { location: 'http://127.0.0.1:9/' }).end(),
    'a page': (_, response) =>
      void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>sign in</html>'),
    'an empty answer': (_, response) => void response.writeHead(200).end(),
    'a list': (_, response) => json(response, 200, [sampleRecord()]),
    null: (_, response) => json(response, 200, null),
    'a run of another key': (_, response) =>
      json(response, 200, { ...sampleRecord({ key: 'other' }), runs: [sampleRecord({ key: 'other' })] }),
    'an id that leads elsewhere': (_, response) =>
      json(response, 200, { ...sampleRecord({ id: '../../v1/about' }), runs: [sampleRecord({ id: '../x' })] }),
    'a state that there is not': (_, response) =>
      json(response, 200, { ...sampleRecord({ state: 'green' }), runs: [sampleRecord({ state: 1 })] }),
    'no decision': (_, response) =>
      json(response, 200, { ...sampleRecord({ decision: undefined }), runs: [sampleRecord({ decision: 7 })] }),
    'a token that would break a header': (_, response) =>
      json(response, 200, {
        ...sampleRecord(),
        runToken: 'a\r\nx-evil: 1234567890',
        runTokenExpiresAt: 1e12,
        runs: [7],
      }),
    'an error without a problem document': (_, response) =>
      void response.writeHead(403, { 'content-type': 'text/html' }).end('<html>'),
  };
  for (const [name, answer] of Object.entries(HOSTILE)) {
    it(`takes ${name} for no gateway`, async () => {
      const one = await gateway(answer);
      for (const work of [one.engine().start(REQUEST, SIGNAL), one.engine().find('key', SIGNAL)]) {
        const error = await errorOf(work);
        assert.equal(error.code, 'ERR_GATEWAY_PROTOCOL', error.message);
        assert.ok(error.message.length < 600 && !error.message.includes('evil'));
      }
    });
  }

  it('reads no answer that is too large', async () => {
    const one = await gateway((_, response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(1_048_576, 32)));
        response.once('drain', more);
      };
      response.writeHead(200, { 'content-type': 'application/json' });
      more();
    });
    await assert.rejects(one.engine().find('key', SIGNAL), failure('ERR_HTTP_BODY', /larger than/));
  });

  it('knows no run by an id that is none, and asks nobody', async () => {
    const one = await gateway((_, response) => json(response, 200, sampleRecord()));
    await assert.rejects(updatesOf(one.engine(), '/nonexistent'), failure('ERR_RUN_LOST', /no run of this id/));
    assert.equal(one.asked.length, 0);
  });

  it('does not take another run for the one that is followed', async () => {
    const one = await gateway((_, response) => json(response, 200, sampleRecord({ key: 'other' })));
    await assert.rejects(updatesOf(one.engine()), failure('ERR_RUN_LOST', /another run than key/));
  });

  it('takes a graph with loose ends for none', async () => {
    const node = { id: 'a', family: 'A', dependsOn: ['b'] };
    const one = await gateway((_, response) => json(response, 200, { root: 'a', nodes: [node] }));
    await assert.rejects(one.engine().graph(REF, SIGNAL), failure('ERR_GATEWAY_PROTOCOL', /another one names/));
  });

  it('has the facts of a run from the gateway, cut', async () => {
    const secrets = [{ vault: 'v', name: 'n'.repeat(20_000), version: '1', target: 'environment N', value: 'hunter2' }];
    const one = await gateway((_, response) =>
      json(response, 200, sampleRecord({ secrets, code: { kind: 'wheel', digest: 'sha256:1' } })),
    );
    const facts = await one.engine().facts(REF, SIGNAL);
    assert.deepEqual(
      [facts.role, facts.binding, facts.isolation, facts.starts, facts.code?.digest],
      ['nightly', 'b', 'user', 1, 'sha256:1'],
    );
    assert.equal(facts.secrets[0]?.name.length, 8_000);
    assert.doesNotMatch(JSON.stringify(facts), /hunter2/);
  });
});
