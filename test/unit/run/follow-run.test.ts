import assert from 'node:assert/strict';
import type { RunOutcome, RunRef, RunUpdate, TaskRecord } from '#core/run.ts';
import type { CancelReason } from '#engines/engine.ts';
import { type FollowedEngine, followRun } from '#run/follow-run.ts';

const REF: RunRef = { id: 'key', engine: 'memory', handle: 'h' };

function task(id: string, state: TaskRecord['state']): TaskRecord {
  return { id, family: id, parameters: {}, state, dependsOn: [], attempts: 1, inputs: [], outputs: [] };
}

function outcome(state: RunOutcome['state'], findings: RunOutcome['findings'] = []): RunOutcome {
  const engine = { name: 'memory', adapterVersion: '1' };
  return { state, verified: 'unknown', tasks: [], findings, startedAt: 0, endedAt: 1, engine, adopted: false };
}

const running = (id: string): RunUpdate => ({ kind: 'task', task: task(id, 'running'), previous: 'pending', at: 1 });

/** A run that goes on until it is cancelled; then it ends with `after`, or never. */
function endless(options: { after?: RunOutcome; answer?: 'stopped' | 'requested'; cancelFails?: Error }) {
  const calls: string[] = [];
  let stop = () => {};
  const cancelled = new Promise<void>((resolve) => {
    stop = resolve;
  });
  const engine: FollowedEngine = {
    name: 'memory',
    async *follow(_ref, signal) {
      yield running('Slow');
      await Promise.race([cancelled, aborted(signal)]);
      if (!options.after) await aborted(signal);
      if (options.after) yield { kind: 'outcome', outcome: options.after };
    },
    async cancel(_ref: RunRef, reason: CancelReason) {
      calls.push(reason);
      if (options.cancelFails) throw options.cancelFails;
      stop();
      return options.answer ?? 'stopped';
    },
  };
  return { engine, calls };
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
}

const never = new AbortController().signal;

describe('following a run', () => {
  it('passes on every update in order and gives the outcome', async () => {
    const seen: string[] = [];
    const engine: FollowedEngine = {
      name: 'memory',
      async *follow() {
        yield running('A');
        yield { kind: 'outcome', outcome: outcome('succeeded') };
      },
      cancel: () => assert.fail('nobody cancels'),
    };
    const result = await followRun(engine, REF, {
      signal: never,
      timeoutMs: 60_000,
      onUpdate: ({ kind }) => seen.push(kind),
    });
    assert.deepEqual([result.state, seen], ['succeeded', ['task', 'outcome']]);
  });

  it('stops the run at its deadline and names what was running', async () => {
    const { engine, calls } = endless({ after: outcome('deadline') });
    const result = await followRun(engine, REF, { signal: never, timeoutMs: 10 });
    assert.deepEqual([result.state, calls], ['deadline', ['deadline']]);
    assert.equal(result.findings[0]?.code, 'ERR_RUN_DEADLINE');
    assert.match(result.findings[0]?.message ?? '', /was stopped: its time was up while Slow was running/);
  });

  it('names what was running when it was stopped, though it hears of it only afterwards', async () => {
    const controller = new AbortController();
    let stop = () => {};
    const stopped = new Promise<void>((resolve) => {
      stop = resolve;
    });
    const startedAt = Date.now();
    const told = (id: string, state: TaskRecord['state'], at: number): RunUpdate => ({
      kind: 'task',
      task: task(id, state),
      previous: 'pending',
      at,
    });
    const engine: FollowedEngine = {
      name: 'memory',
      async *follow() {
        yield told('Ended', 'running', startedAt);
        controller.abort();
        await stopped;
        yield told('Ended', 'done', startedAt);
        yield told('Slow', 'running', startedAt);
        yield told('Later', 'running', Date.now() + 60_000);
        yield told('Slow', 'died', Date.now() + 60_000);
        yield { kind: 'outcome', outcome: outcome('cancelled') };
      },
      async cancel() {
        stop();
        return 'stopped';
      },
    };
    const { findings } = await followRun(engine, REF, { signal: controller.signal });
    assert.match(findings[0]?.message ?? '', /was stopped: the step was cancelled while Slow was running$/);
  });

  it('remembers its cancel, though the engine says success', async () => {
    const controller = new AbortController();
    const { engine, calls } = endless({ after: outcome('succeeded') });
    const result = await followRun(engine, REF, { signal: controller.signal, onUpdate: () => controller.abort() });
    assert.deepEqual(
      [result.state, calls, result.findings[0]?.code],
      ['cancelled', ['cancelled'], 'ERR_RUN_CANCELLED'],
    );
  });

  it('cancels once, for the first reason', async () => {
    const controller = new AbortController();
    const { engine, calls } = endless({ after: outcome('failed') });
    const following = followRun(engine, REF, {
      signal: controller.signal,
      timeoutMs: 30,
      onUpdate: () => controller.abort(),
    });
    assert.equal((await following).state, 'cancelled');
    assert.deepEqual(calls, ['cancelled']);
  });

  it('cancels at once when the step was cancelled before', async () => {
    const { engine, calls } = endless({ after: outcome('cancelled') });
    assert.equal((await followRun(engine, REF, { signal: AbortSignal.abort() })).state, 'cancelled');
    assert.deepEqual(calls, ['cancelled']);
  });

  it('does not wait for ever for a run that does not stop', async () => {
    const { engine } = endless({ answer: 'requested' });
    const result = await followRun(engine, REF, { signal: never, timeoutMs: 10, stopWithinMs: 20 });
    assert.equal(result.state, 'deadline');
    assert.match(result.findings[0]?.message ?? '', /has not confirmed/);
    assert.match(result.findings[0]?.remedy ?? '', /may still be going/);
    assert.deepEqual(
      result.tasks.map(({ id }) => id),
      ['Slow'],
    );
  });

  it('says why the engine could not be asked to stop', async () => {
    const { engine } = endless({ cancelFails: new Error('connection refused') });
    const result = await followRun(engine, REF, { signal: never, timeoutMs: 10, stopWithinMs: 20 });
    assert.match(result.findings[0]?.message ?? '', /connection refused/);
  });

  it('keeps the findings of the engine behind its own', async () => {
    const own = { severity: 'error', code: 'ERR_RUN_DEADLINE', message: 'the engine' } as const;
    const failed = { severity: 'error', code: 'ERR_RUN_FAILED', message: 'a task', taskId: 'A' } as const;
    const { engine } = endless({ after: outcome('deadline', [own, failed]) });
    const { findings } = await followRun(engine, REF, { signal: never, timeoutMs: 10 });
    assert.deepEqual(
      findings.map(({ code }) => code),
      ['ERR_RUN_DEADLINE', 'ERR_RUN_FAILED'],
    );
  });

  it('lets errors of the engine through', async () => {
    const engine: FollowedEngine = {
      name: 'memory',
      // biome-ignore lint/correctness/useYield: it breaks before its first update
      async *follow() {
        throw new Error('broken');
      },
      cancel: () => assert.fail('nobody cancels'),
    };
    await assert.rejects(followRun(engine, REF, { signal: never }), /broken/);
  });
});
