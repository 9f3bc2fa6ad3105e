import assert from 'node:assert/strict';
import type { RunOutcome, TaskState } from '#core/run.ts';
import { LuigiScenario } from '../../support/luigi-scenario.ts';

type Expected = readonly [state: RunOutcome['state'], code: string | undefined, tasks?: Record<string, TaskState>];

/** What real tasks under a real worker come to. */
const RUNS: readonly (readonly [task: string, workers: number, ...Expected])[] = [
  ['Good', 1, 'succeeded', undefined, { Good: 'done', Leaf: 'done' }],
  ['Good', 4, 'succeeded', undefined, { Good: 'done', Leaf: 'done' }],
  ['FailsBelow', 1, 'failed', 'ERR_RUN_FAILED', { FailsBelow: 'blocked', Failing: 'failed', Leaf: 'done' }],
  ['FailsBelow', 4, 'failed', 'ERR_RUN_FAILED', { FailsBelow: 'blocked', Failing: 'failed', Leaf: 'done' }],
  ['NeedsAbsent', 1, 'failed', 'ERR_RUN_MISSING_INPUT', { NeedsAbsent: 'blocked', Absent: 'missing' }],
  ['FailsDynamically', 1, 'failed', 'ERR_RUN_FAILED', { FailsDynamically: 'blocked', Failing: 'failed' }],
  ['Cycle', 1, 'failed', 'ERR_RUN_NOT_RUN'],
  ['BrokenRequires', 1, 'failed', 'ERR_RUN_SCHEDULING', { BrokenRequires: 'unschedulable' }],
  ['BrokenComplete', 1, 'lost', 'ERR_RUN_UNVERIFIED'],
  ['NoOutput', 1, 'succeeded', 'ERR_RUN_UNVERIFIED', { NoOutput: 'done' }],
  ['WritesNothing', 1, 'failed', 'ERR_RUN_INCOMPLETE'],
  ['Vanishing', 1, 'failed', 'ERR_RUN_INCOMPLETE'],
  ['LeavesByExit', 1, 'failed', 'ERR_RUN_DIED', { LeavesByExit: 'died' }],
  ['LeavesBySysExit', 1, 'failed', 'ERR_RUN_FAILED', { LeavesBySysExit: 'failed' }],
  ['LeavesBelow', 2, 'failed', 'ERR_RUN_FAILED', { LeavesByExit: 'died', LeavesBelow: 'blocked' }],
  ['KillsItself', 1, 'failed', 'ERR_RUN_DIED', { KillsItself: 'died' }],
  ['KilledBelow', 2, 'failed', 'ERR_RUN_FAILED', { KillsItself: 'died', KilledBelow: 'blocked' }],
  ['NoSuchTask', 1, 'failed', 'ERR_TASK_UNKNOWN'],
];

describe('a real Luigi run', function () {
  this.timeout(60_000);
  let scenario: LuigiScenario;
  beforeEach(async () => {
    scenario = await LuigiScenario.create();
  });
  afterEach(() => scenario.close());

  for (const [task, workers, state, code, tasks] of RUNS) {
    it(`of ${task} with ${workers} workers is ${state}${code ? ` with ${code}` : ''}`, async () => {
      const { outcome } = await scenario.run(task, { workers });
      assert.deepEqual([outcome.state, outcome.findings[0]?.code], [state, code], outcome.summary);
      for (const [family, expected] of Object.entries(tasks ?? {})) {
        const states = new Set(outcome.tasks.filter((one) => one.family === family).map((one) => one.state));
        assert.deepEqual([...states], [expected], family);
      }
    });
  }

  it('of a task that is complete is green and says that nothing had to run', async () => {
    await scenario.run('Good');
    const { outcome } = await scenario.run('Good');
    assert.deepEqual([outcome.state, outcome.verified, outcome.findings], ['succeeded', 'confirmed', []]);
    assert.match(outcome.summary ?? '', /already complete: nothing had to run/);
  });

  it('that fails names family, parameters, exception and the line of the user', async () => {
    const { outcome } = await scenario.run('Failing', { parameters: { name: 'north' } });
    const finding = outcome.findings.find(({ taskId }) => taskId !== undefined);
    assert.match(finding?.message ?? '', /^Failing\(name=north\) failed: ValueError: no rows for north$/);
    assert.match(finding?.frame?.file ?? '', /scenarios\.py$/);
    assert.equal(finding?.frame?.function, 'work');
  });

  for (const [module, code] of [
    ['broken_import', 'ERR_MODULE_IMPORT'],
    ['no_such_module_at_all', 'ERR_MODULE_IMPORT'],
    ['leaves_at_import', 'ERR_MODULE_IMPORT'],
  ] as const) {
    it(`of the module ${module} is ${code}`, async () => {
      const { outcome } = await scenario.run('Good', { module });
      assert.deepEqual([outcome.state, outcome.findings[0]?.code], ['failed', code], outcome.summary);
    });
  }

  it('with a parameter that the task does not have is refused', async () => {
    const { outcome } = await scenario.run('Good', { parameters: { no_such: 1 } });
    assert.deepEqual([outcome.state, outcome.findings[0]?.code], ['failed', 'ERR_PARAMETER_INVALID'], outcome.summary);
  });

  it('tells each transition once and in order', async () => {
    const { updates, outcome } = await scenario.run('Good', { parameters: { width: 20 }, workers: 4 });
    const last = new Map<string, TaskState>();
    for (const update of updates) {
      if (update.kind !== 'task') continue;
      assert.equal(update.previous, last.get(update.task.id), update.task.id);
      last.set(update.task.id, update.task.state);
    }
    assert.deepEqual(Object.fromEntries(last), Object.fromEntries(outcome.tasks.map(({ id, state }) => [id, state])));
    assert.equal(outcome.tasks.length, 21);
  });
});
