import assert from 'node:assert/strict';
import type { Clock } from '#core/clock.ts';
import { PipelineRunFollower } from '#gateway/dispatch/pipeline-run-follower.ts';
import { DISPATCH_TIMES, type DispatchContext } from '../../../../src/gateway/dispatch/dispatch-context.ts';
import type { StoredPipelineRun } from '../../../../src/gateway/dispatch/pipeline-run-row.ts';
import { eventually } from '../../../support/eventually.ts';

/** A clock that a test sets; who sleeps wakes with the next turn of the loop. */
class SetClock implements Clock {
  at = 1_000_000_000_000;
  slept = 0;
  now = () => this.at;
  sleep = async (ms: number, signal?: AbortSignal) => {
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
    this.at += ms;
    this.slept += ms;
  };
}

/** Closed after each test: on such a clock a follower whose test has failed would never rest. */
const open: Followed[] = [];

class Followed {
  readonly clock = new SetClock();
  readonly closing = new AbortController();
  readonly ended: string[] = [];
  readonly asked: number[][] = [];
  readonly askedAt: number[] = [];
  /** Runs of these numbers have ended. */
  readonly over = new Set<number>();
  onEnd: (id: string) => void = () => {};
  readonly follower: PipelineRunFollower;

  constructor() {
    open.push(this);
    const runs = async (_: string, ids: readonly number[]) => {
      this.asked.push([...ids]);
      this.askedAt.push(this.clock.at);
      const seen = ids.map((id) => ({
        id,
        name: '',
        status: this.over.has(id) ? 'completed' : 'inProgress',
        reason: '',
      }));
      return { runs: seen.map((one) => ({ ...one, result: 'succeeded' })) };
    };
    const context = {
      clock: this.clock,
      closing: this.closing.signal,
      times: DISPATCH_TIMES,
      connect: () => ({ api: { runs } }),
      runs: { end: async () => true, running: async () => true, problem: async () => true },
      watchers: { changed: () => {} },
      counted: () => {},
      log: () => {},
    } as unknown as DispatchContext;
    this.follower = new PipelineRunFollower(context, 'https://dev.azure.com/fabrikam', (id) => {
      this.ended.push(id);
      this.onEnd(id);
    });
  }

  follow(number: number): void {
    const record = { id: `run-${number}`, project: 'demo', state: 'queued', queuedAt: this.clock.at };
    this.follower.follow({ record, azureRun: number } as unknown as StoredPipelineRun);
  }

  async close(): Promise<void> {
    this.closing.abort();
    await this.follower.settled();
  }
}

describe('the follower of pipeline runs', () => {
  afterEach(async () => {
    for (const world of open.splice(0)) await world.close();
  });

  it('follows whoever comes at the very moment when the last one has ended', async () => {
    for (let ticks = 0; ticks < 24; ticks++) {
      const world = new Followed();
      world.over.add(1).add(2);
      world.onEnd = async (id) => {
        if (id !== 'run-1') return;
        for (let i = 0; i < ticks; i++) await undefined;
        world.follow(2);
      };
      world.follow(1);
      await eventually(() => world.ended.length === 2, `the second run, ${ticks} ticks behind`, 1_000);
    }
  });

  it('goes on when the clock is set back', async () => {
    const world = new Followed();
    world.follow(1);
    await eventually(() => world.asked.length > 3, 'some looks');
    world.clock.at -= 86_400_000;
    const { slept } = world.clock;
    world.over.add(1);
    await eventually(() => world.ended.length === 1, 'the end');
    assert.ok(world.clock.slept - slept <= 300_000, `${world.clock.slept - slept} ms`);
  });

  it('asks for runs of one project together, also when they were queued one by one', async () => {
    const world = new Followed();
    for (let number = 1; number <= 60; number++) {
      world.follow(number);
      world.clock.at += 1_500;
      await new Promise((resolve) => setImmediate(resolve));
    }
    // From then on the pause of each is the longest, 30 s give or take a tenth; one by one they would be 120 requests a minute.
    const old = world.clock.at + 500_000;
    await eventually(() => world.clock.at > old + 600_000, 'ten minutes');
    const times = world.askedAt.filter((at) => at > old && at <= old + 600_000);
    const gaps = times.slice(1).map((at, index) => at - (times[index] as number));
    // Who is due was not among those that were read last, so that then not three fifths of its pause were over.
    assert.ok(Math.min(...gaps) >= 0.4 * 27_000, gaps.join());
    assert.ok(times.length >= 600_000 / 33_000 - 1, String(times.length));
  });
});
