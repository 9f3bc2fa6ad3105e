import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { Clock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import type { RunUpdate, TaskRecord } from '#core/run.ts';
import { followGatewayRun, type GatewayFollowing } from '#engines/luigi/follow-gateway-run.ts';
import { readStream, type StreamItem } from '#engines/luigi/gateway-stream.ts';
import { failure } from '../../../support/plumbline-failure.ts';

const NOW = 1_000_000;

/** Time that passes only while somebody sleeps. */
function jumps(): Clock & { at: number; readonly slept: number[] } {
  const clock = {
    at: NOW,
    slept: [] as number[],
    now: () => clock.at,
    sleep: async (ms: number, signal?: AbortSignal) => {
      signal?.throwIfAborted();
      clock.slept.push(ms);
      clock.at += ms;
    },
  };
  return clock;
}

function task(id: string, state: TaskRecord['state']): TaskRecord {
  return { id, family: 'F', parameters: {}, state, dependsOn: [], attempts: 1, inputs: [], outputs: [] };
}

const taskUpdate = (id: string, state: TaskRecord['state'], previous?: TaskRecord['state']) =>
  ({ kind: 'task', task: task(id, state), previous, at: NOW }) as const;

const SUCCESS = {
  kind: 'outcome',
  outcome: {
    state: 'succeeded',
    verified: 'confirmed',
    rootTaskId: 'a',
    summary: 'done',
    findings: [],
    startedAt: NOW,
    endedAt: NOW,
    engine: { name: 'luigi', adapterVersion: '1' },
  },
} as const;

const STORY: readonly object[] = [
  { kind: 'state', state: 'queued', at: NOW },
  { kind: 'state', state: 'running', at: NOW },
  taskUpdate('a', 'pending'),
  taskUpdate('b', 'running'),
  { kind: 'status', task: { ...task('b', 'running'), statusMessage: 'wört 💾' }, at: NOW },
  taskUpdate('b', 'done', 'running'),
  taskUpdate('a', 'done', 'pending'),
  { kind: 'state', state: 'succeeded', at: NOW },
  SUCCESS,
];

const END = 'event: end\ndata: {}\n\n';

function wire(story: readonly object[], after = 0): Buffer {
  const events = story.map((update, index) => `id: ${index + 1}\nevent: update\ndata: ${JSON.stringify(update)}\n\n`);
  return Buffer.from(`: hello\n\n${events.slice(after).join('')}${END}`);
}

async function* inPieces(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  let start = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    yield bytes.subarray(start, cut % (bytes.length + 1));
    start = Math.max(start, cut % (bytes.length + 1));
  }
  yield bytes.subarray(start);
}

const broken = () => new PlumblineError('ERR_HTTP_NETWORK', 'GET https://gateway failed: the connection was reset', {});

function following(more: Partial<GatewayFollowing> & Pick<GatewayFollowing, 'events'>): GatewayFollowing {
  return {
    signal: new AbortController().signal,
    clock: jumps(),
    random: () => 1,
    lostAfterMs: 600_000,
    adopted: false,
    run: { id: 'key', handle: 'run', gateway: 'https://gateway' },
    ...more,
  };
}

async function told(of: GatewayFollowing): Promise<RunUpdate[]> {
  const updates: RunUpdate[] = [];
  for await (const update of followGatewayRun(of)) updates.push(update);
  return updates;
}

function outcomeOf(updates: readonly RunUpdate[]) {
  const last = updates.at(-1);
  assert.ok(last?.kind === 'outcome');
  return last.outcome;
}

describe('followGatewayRun', () => {
  it('tells every update once and in order, wherever the connections are cut', async () => {
    const whole = await told(following({ events: () => readStream(inPieces(wire(STORY), [])) }));
    assert.equal(whole.length, STORY.length);
    const connection = fc.record({
      length: fc.nat(3_000),
      error: fc.boolean(),
      overlap: fc.nat(3),
      cuts: fc.array(fc.nat(3_000), { maxLength: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(connection, { maxLength: 8 }), async (connections) => {
        const left = [...connections];
        async function* events(after: number): AsyncGenerator<StreamItem> {
          const next = left.shift();
          const bytes = wire(STORY, Math.max(0, after - (next?.overlap ?? 0)));
          if (next === undefined) return yield* readStream(inPieces(bytes, []));
          const end = next.length % bytes.length;
          // What ends the stream must not be among it: a proxy cuts, it does not end.
          const cut = bytes.subarray(0, Math.min(end, bytes.length - END.length));
          yield* readStream(inPieces(cut, next.cuts));
          if (next.error) throw broken();
        }
        assert.deepEqual(await told(following({ events })), whole);
      }),
      { numRuns: 300 },
    );
  });

  it('rebuilds the tasks of the outcome from their updates', async () => {
    const outcome = outcomeOf(
      await told(following({ events: () => readStream(inPieces(wire(STORY), [])), adopted: true })),
    );
    assert.deepEqual(
      outcome.tasks.map(({ id, state }) => [id, state]),
      [
        ['a', 'done'],
        ['b', 'done'],
      ],
    );
    assert.equal(outcome.adopted, true);
  });

  it('forgets the tasks of a worker that was lost when another one begins', async () => {
    const story = [
      ...STORY.slice(0, 4),
      STORY[0],
      STORY[1],
      taskUpdate('a', 'pending'),
      taskUpdate('a', 'done', 'pending'),
      SUCCESS,
    ];
    const outcome = outcomeOf(
      await told(following({ events: () => readStream(inPieces(wire(story as object[]), [])) })),
    );
    assert.deepEqual(
      outcome.tasks.map(({ id }) => id),
      ['a'],
    );
  });

  it('waits longer and longer, and as long as it is asked to', async () => {
    const clock = jumps();
    const waits: number[] = [];
    const busy = new PlumblineError('ERR_GATEWAY_UNAVAILABLE', 'busy', { details: { status: 503, retryAfter: '40' } });
    let calls = 0;
    async function* events(): AsyncGenerator<StreamItem> {
      calls += 1;
      if (calls <= 3) throw broken();
      if (calls === 4) throw busy;
      yield* readStream(inPieces(wire(STORY), []));
    }
    await told(following({ events, clock, onBroken: (_, wait) => waits.push(wait) }));
    assert.deepEqual(waits, [250, 500, 1_000, 40_000]);
  });

  it('gives a run up only after the whole time, says why and where to look, and never calls it green or failed', async () => {
    const clock = jumps();
    async function* events(after: number): AsyncGenerator<StreamItem> {
      if (after === 0) {
        for await (const item of readStream(inPieces(wire(STORY).subarray(0, 700), []))) yield item;
      }
      throw broken();
    }
    const outcome = outcomeOf(await told(following({ events, clock })));
    assert.deepEqual([outcome.state, outcome.verified], ['lost', 'unknown']);
    assert.deepEqual(
      outcome.findings.map(({ code }) => code),
      ['ERR_RUN_LOST'],
    );
    assert.match(outcome.summary ?? '', /https:\/\/gateway has not told of it for 600 s .*connection was reset/);
    assert.match(outcome.findings[0]?.remedy ?? '', /may still be going.*https:\/\/gateway\/v1\/runs\/run/);
    assert.equal(clock.at - NOW, 600_000);
    assert.ok(outcome.tasks.length > 0, 'what was known is kept');
  });

  it('gives up a gateway that takes every connection and says nothing', async () => {
    async function* events(): AsyncGenerator<StreamItem> {
      yield { kind: 'alive' };
    }
    assert.equal(outcomeOf(await told(following({ events }))).state, 'lost');
  });

  it('is patient with a run that tells nothing for hours, as long as the connection lives', async () => {
    const clock = jumps();
    async function* events(after: number): AsyncGenerator<StreamItem> {
      yield* readStream(inPieces(wire(STORY.slice(0, 3), after).subarray(0, -END.length), []));
      for (let beat = 0; beat < 1_000; beat += 1) {
        clock.at += 15_000;
        yield { kind: 'alive' };
      }
      yield* readStream(inPieces(wire(STORY, 3), []));
    }
    assert.equal(outcomeOf(await told(following({ events, clock }))).state, 'succeeded');
  });

  it('does not take a gap for the whole', async () => {
    let calls = 0;
    async function* events(after: number): AsyncGenerator<StreamItem> {
      calls += 1;
      yield* readStream(inPieces(wire(STORY, calls === 1 ? after + 2 : after), []));
    }
    assert.equal((await told(following({ events }))).length, STORY.length);
    assert.equal(calls, 2);
  });

  it('does not take the end of the stream for the end of the run', async () => {
    const outcome = outcomeOf(
      await told(following({ events: (after) => readStream(inPieces(wire(STORY.slice(0, 4), after), [])) })),
    );
    assert.equal(outcome.state, 'lost');
  });

  for (const code of ['ERR_GATEWAY_REFUSED', 'ERR_GATEWAY_PROTOCOL', 'ERR_IDENTITY_REJECTED'] as const) {
    it(`tries nothing again after ${code}`, async () => {
      let calls = 0;
      const events = () => {
        calls += 1;
        throw new PlumblineError(code, 'no');
      };
      await assert.rejects(told(following({ events })), failure(code, /no/));
      assert.equal(calls, 1);
    });
  }

  it('is patient with something that answers in place of the gateway', async () => {
    let calls = 0;
    async function* events(): AsyncGenerator<StreamItem> {
      calls += 1;
      if (calls === 1) throw new PlumblineError('ERR_GATEWAY_PROTOCOL', 'a page', { details: { status: 404 } });
      yield* readStream(inPieces(wire(STORY), []));
    }
    assert.equal(outcomeOf(await told(following({ events }))).state, 'succeeded');
  });

  it('ends with the reason of its signal, also while it waits', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const events = () => {
      controller.abort(reason);
      throw broken();
    };
    await assert.rejects(told(following({ events, signal: controller.signal })), reason);
  });
});
