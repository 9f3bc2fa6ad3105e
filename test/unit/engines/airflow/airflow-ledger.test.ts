import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { RunUpdate, TaskRecord } from '#core/run.ts';
import type { AirflowTask, AirflowTaskInstance } from '#engines/airflow/airflow-api.ts';
import { AirflowLedger } from '#engines/airflow/airflow-ledger.ts';
import { graphOf, TaskStructure, taskInstanceId } from '#engines/airflow/task-structure.ts';
import { instance } from '../../../support/airflow/timed-airflow.ts';

const TASKS: readonly AirflowTask[] = [
  { taskId: 'list', downstream: ['load'], isMapped: false },
  { taskId: 'load', downstream: ['report'], isMapped: true },
  { taskId: 'report', downstream: [], isMapped: false },
];

const WORDS = [
  undefined,
  'scheduled',
  'queued',
  'running',
  'success',
  'failed',
  'up_for_retry',
  'up_for_reschedule',
  'upstream_failed',
  'skipped',
  'removed',
  'deferred',
  'awaiting_input',
  'restarting',
  'hibernating',
] as const;

const arbitraryInstance: fc.Arbitrary<AirflowTaskInstance> = fc
  .record({
    taskId: fc.constantFrom('list', 'load', 'report', 'other'),
    mapIndex: fc.integer({ min: -1, max: 2 }),
    state: fc.constantFrom(...WORDS),
    tryNumber: fc.nat(3),
    startedAt: fc.option(fc.nat(1_000), { nil: undefined }),
    endedAt: fc.option(fc.nat(1_000), { nil: undefined }),
  })
  .map(({ taskId, ...more }) => instance(taskId, more));

/** As a server gives them: each instance once. */
const arbitraryRead = fc.uniqueArray(arbitraryInstance, { selector: taskInstanceId, maxLength: 6 });

const ledger = () => new AirflowLedger(new TaskStructure(TASKS));

function transitions(updates: readonly RunUpdate[]) {
  return updates.flatMap((update) => (update.kind === 'task' ? [update] : []));
}

function arrows(updates: readonly RunUpdate[]): readonly string[] {
  return transitions(updates).map(({ task, previous }) => `${task.id} ${previous ?? '-'} ${task.state}`);
}

describe('the ledger of task instances', () => {
  it('tells of each task a chain of transitions without a gap, whatever the reads', () => {
    fc.assert(
      fc.property(fc.array(arbitraryRead, { maxLength: 8 }), (reads) => {
        const folded = ledger();
        const states = new Map<string, TaskRecord['state']>();
        const times = new Map<string, number>();
        for (const [at, read] of reads.entries()) {
          for (const { task, previous, at: when } of transitions(folded.fold(read, { at, isLast: false }))) {
            assert.equal(previous, states.get(task.id));
            assert.notEqual(previous, task.state);
            assert.ok(when >= (times.get(task.id) ?? Number.NEGATIVE_INFINITY));
            states.set(task.id, task.state);
            times.set(task.id, when);
          }
        }
        for (const { id, state } of folded.records()) assert.equal(states.get(id), state);
      }),
    );
  });

  it('tells nothing of a read that says what is known', () => {
    fc.assert(
      fc.property(arbitraryRead, fc.boolean(), (read, isLast) => {
        const folded = ledger();
        folded.fold(read, { at: 1, isLast });
        assert.deepEqual(folded.fold(read, { at: 2, isLast }), []);
      }),
    );
  });

  it('knows in the end what the last read says, whatever came before, in any order and any number', () => {
    fc.assert(
      fc.property(fc.array(arbitraryRead, { maxLength: 5 }), arbitraryRead, (reads, last) => {
        const folded = ledger();
        for (const [at, read] of reads.entries()) folded.fold(read, { at, isLast: false });
        folded.fold(last, { at: 2_000, isLast: true });
        const only = ledger();
        only.fold(last, { at: 2_000, isLast: true });
        assert.deepEqual(folded.records(), only.records());
      }),
    );
  });

  it('leaves nothing running that the end of the run has left open', () => {
    fc.assert(
      fc.property(arbitraryRead, (read) => {
        const folded = ledger();
        folded.fold(read, { at: 1, isLast: true });
        assert.ok(folded.records().every(({ state }) => state !== 'running'));
      }),
    );
  });

  const whole = { at: 5_000, isLast: false };
  it('tells a task that was over before anybody looked as if it had been watched', () => {
    const seen = ledger().fold(
      [instance('list', { state: 'success', tryNumber: 1, startedAt: 10, endedAt: 20 })],
      whole,
    );
    assert.deepEqual(arrows(seen), ['list - running', 'list running done']);
    assert.deepEqual(
      seen.map((update) => 'at' in update && update.at),
      [10, 20],
    );
  });

  it('does not say that a task ran which Airflow settled itself', () => {
    const folded = ledger();
    const settled = { startedAt: 10, endedAt: 10, tryNumber: 0 };
    const read = [
      instance('list', { ...settled, state: 'skipped' }),
      instance('report', { ...settled, state: 'upstream_failed' }),
    ];
    assert.deepEqual(arrows(folded.fold(read, whole)), ['list - skipped', 'report - blocked']);
    assert.deepEqual(
      folded.records().map(({ startedAt, attempts }) => [startedAt, attempts]),
      [
        [undefined, 0],
        [undefined, 0],
      ],
    );
  });

  it('tells tries that nobody saw', () => {
    const folded = ledger();
    folded.fold([instance('list', { state: 'running', tryNumber: 1, startedAt: 10 })], whole);
    const updates = folded.fold(
      [instance('list', { state: 'success', tryNumber: 2, startedAt: 30, endedAt: 40 })],
      whole,
    );
    assert.deepEqual(arrows(updates), ['list running pending', 'list pending running', 'list running done']);
    assert.deepEqual(
      folded.unexplained().map(({ tryNumber, isRetried }) => [tryNumber, isRetried]),
      [[1, true]],
    );
  });

  it('tells a failure that will be tried again as a try that was over', () => {
    const folded = ledger();
    folded.fold([instance('list')], whole);
    const failed = instance('list', { state: 'up_for_retry', tryNumber: 1, startedAt: 10, endedAt: 20 });
    assert.deepEqual(arrows(folded.fold([failed], whole)), ['list pending running', 'list running pending']);
    assert.match(folded.get('list')?.statusMessage ?? '', /next try/);
  });

  it('tells transitions of several tasks in the order of their times', () => {
    const done = (taskId: string, startedAt: number) =>
      instance(taskId, { state: 'success', tryNumber: 1, startedAt, endedAt: startedAt + 15 });
    const updates = ledger().fold([done('report', 30), done('list', 10), done('other', 20)], whole);
    assert.deepEqual(arrows(updates), [
      'list - running',
      'other - running',
      'list running done',
      'report - running',
      'other running done',
      'report running done',
    ]);
  });

  it('does not tell of a mapped task before it is known how many it becomes', () => {
    const folded = ledger();
    assert.deepEqual(folded.fold([instance('load')], whole), []);
    const expanded = [0, 1].map((mapIndex) => instance('load', { mapIndex, label: mapIndex === 1 ? 'north' : '0' }));
    assert.deepEqual(arrows(folded.fold(expanded, whole)), ['load[0] - pending', 'load[1] - pending']);
    assert.deepEqual(folded.get('load[0]')?.parameters, { map_index: '0' });
    assert.deepEqual(folded.get('load[1]')?.parameters, { map_index: '1', label: 'north' });
  });

  it('tells a mapped task that never became any', () => {
    const updates = ledger().fold([instance('load', { state: 'skipped' })], { at: 1, isLast: true });
    assert.deepEqual(arrows(updates), ['load - skipped']);
  });

  it('keeps a failure until the task runs again, and tells it with the task', () => {
    const folded = ledger();
    folded.fold([instance('list', { state: 'failed', tryNumber: 1, startedAt: 1, endedAt: 2 })], whole);
    const [failed] = folded.unexplained();
    assert.ok(failed);
    const failure = { type: 'ValueError', message: 'no', traceback: '' };
    folded.explain(failed, failure);
    assert.deepEqual([folded.get('list')?.failure, folded.unexplained()], [failure, []]);
    folded.fold([instance('list', { state: 'success', tryNumber: 2, startedAt: 3, endedAt: 4 })], whole);
    assert.equal(folded.get('list')?.failure, undefined);
  });

  it('asks for no later change than the server itself has told of', () => {
    const folded = ledger();
    assert.equal(folded.serverTime, undefined);
    folded.fold([instance('list', { startedAt: 70, endedAt: 90 }), instance('report', { startedAt: 80 })], whole);
    assert.equal(folded.serverTime, 90);
  });
});

describe('the graph of a DAG run', () => {
  it('has a node for each instance, and the DAG as its root', () => {
    const instances = [
      instance('list'),
      instance('load', { mapIndex: 0 }),
      instance('load', { mapIndex: 1 }),
      instance('report'),
    ];
    const { root, nodes } = graphOf('sales', TASKS, instances);
    assert.equal(root, 'sales');
    assert.deepEqual(
      [...nodes.values()].map(({ id, family, dependsOn }) => [id, family, dependsOn]),
      [
        ['list', 'list', []],
        ['load[0]', 'load', ['list']],
        ['load[1]', 'load', ['list']],
        ['report', 'report', ['load[0]', 'load[1]']],
        ['sales', 'sales', ['report']],
      ],
    );
  });

  it('has a root of another name where a task is named like its DAG', () => {
    assert.equal(graphOf('list', TASKS, [instance('list')]).root, 'DAG list');
  });
});
