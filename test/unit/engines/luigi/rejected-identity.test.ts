import assert from 'node:assert/strict';
import type { RunOutcome, RunUpdate } from '#core/run.ts';
import type { CancelReason } from '#engines/engine.ts';
import { concludeRun } from '#engines/luigi/outcome.ts';
import { parseLine } from '#engines/luigi/parse-event.ts';
import { RunStory } from '#engines/luigi/run-story.ts';

const BEGIN = [
  { e: 'hello', luigi: '3.8.1', python: '3.12.1', worker: '1', runId: 'run-1' },
  { e: 'root', task: 'Root__1', family: 'Root', params: {} },
  { e: 'task', task: 'sales.Load_1', family: 'sales.Load', params: { day: '1' }, deps: [], status: 'PENDING' },
  { e: 'task', task: 'mail.Send_1', family: 'mail.Send', params: {}, deps: [], status: 'PENDING' },
  { e: 'start', task: 'mail.Send_1' },
];
const REJECTED = {
  e: 'rejected',
  task: 'sales.Load_1',
  family: 'sales.Load',
  reason: 'family',
  message: 'the policy lists\nno such family',
  status: 400,
};

function story(...events: readonly object[]): { story: RunStory; updates: readonly RunUpdate[] } {
  const told = new RunStory();
  const lines = [...BEGIN, ...events].map((event) => parseLine(JSON.stringify({ v: 1, at: 1, pid: 2, ...event })));
  return { story: told, updates: lines.flatMap((line) => told.fold(line)) };
}

function outcomeOf(events: readonly object[], stop?: CancelReason, code = 143): RunOutcome {
  const last = concludeRun({
    story: story(...events).story,
    module: 'sales',
    task: 'Root',
    runDirectory: '/runs/1',
    startedAt: 0,
    endedAt: 2_000,
    adopted: false,
    runId: 'run-1',
    stop,
    record: { code, signal: null, stopped: code !== 0, killed: 0, left: 0 },
    supervisorStatus: code,
  }).at(-1);
  assert.ok(last?.kind === 'outcome');
  return last.outcome;
}

describe('a run whose identity was refused', () => {
  it('fails with a code of its own, and names family, task and reason; what was ended with it is not told', () => {
    const { state, findings } = outcomeOf([REJECTED]);
    assert.equal(state, 'failed');
    assert.deepEqual(
      findings.map(({ code, message, taskId }) => ({ code, message, taskId })),
      [
        {
          code: 'ERR_IDENTITY_REJECTED',
          message:
            'Root of sales was ended at once: the identity of sales.Load was refused (family): the policy lists no such family',
          taskId: undefined,
        },
        {
          code: 'ERR_IDENTITY_REJECTED',
          message: 'sales.Load(day=1) was refused its identity: family: the policy lists no such family',
          taskId: 'sales.Load_1',
        },
      ],
    );
  });

  it('shows the task as failed at once, and never as started', () => {
    const last = story(REJECTED).updates.at(-1);
    assert.ok(last?.kind === 'task');
    assert.deepEqual([last.task.id, last.task.state, last.task.attempts], ['sales.Load_1', 'failed', 0]);
  });

  it('names the first of several, and needs no task', () => {
    const way = { e: 'rejected', reason: 'worker-ended', message: 'the run has ended', status: 401 };
    const [first] = outcomeOf([way, REJECTED]).findings;
    assert.match(first?.message ?? '', /ended at once: its identity was refused \(worker-ended\): the run has ended$/);
  });

  it('is not green, whatever follows', () => {
    const end = [
      { e: 'end', task: 'mail.Send_1', status: 'DONE' },
      { e: 'asked', complete: true, verifiable: true },
      { e: 'bye', exitCode: 0 },
    ];
    assert.deepEqual(
      [outcomeOf(end, undefined, 0).state, outcomeOf([REJECTED, ...end], undefined, 0).state],
      ['succeeded', 'failed'],
    );
  });

  it('was stopped, when we stopped it: then its tasks get no tokens any more', () => {
    for (const stop of ['cancelled', 'deadline'] as const) {
      const { state, findings } = outcomeOf([REJECTED], stop);
      assert.equal(state, stop);
      assert.equal(findings.length, 1, JSON.stringify(findings));
    }
  });

  it('is told of by a reader that cannot read the rest of the event', () => {
    const { state, findings } = outcomeOf([{ e: 'rejected', task: { a: 1 }, reason: 7, message: [] }]);
    assert.deepEqual([state, findings[0]?.code], ['failed', 'ERR_IDENTITY_REJECTED']);
  });
});

describe('a run of a binding that only reports', () => {
  it('warns once for each family and reason', () => {
    const reported = (task: string, family: string, reason: string) => ({
      ...REJECTED,
      e: 'reported',
      task,
      family,
      reason,
    });
    const { state, findings } = outcomeOf(
      [
        ...[1, 2, 3].map((number) => reported(`sales.Load_${number}`, 'sales.Load', 'family')),
        reported('sales.Load_4', 'sales.Load', 'run-denied'),
        { e: 'end', task: 'mail.Send_1', status: 'DONE' },
        { e: 'asked', complete: true, verifiable: true },
        { e: 'bye', exitCode: 0 },
      ],
      undefined,
      0,
    );
    assert.equal(state, 'succeeded');
    assert.deepEqual(
      findings.map(({ severity, code, message }) => [severity, code, message.split(':')[0]]),
      [
        [
          'warning',
          'ERR_IDENTITY_REJECTED',
          '3 tasks of sales.Load ran without a token, and enforcement would end the run',
        ],
        [
          'warning',
          'ERR_IDENTITY_REJECTED',
          '1 task of sales.Load ran without a token, and enforcement would end the run',
        ],
      ],
    );
  });
});
