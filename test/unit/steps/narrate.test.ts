import assert from 'node:assert/strict';
import { TASK_STATES, type TaskRecord } from '#core/run.ts';
import { taskLine, taskRow } from '#steps/narrate.ts';

const task: TaskRecord = {
  id: 'orders.Load_north_1',
  family: 'orders.Load',
  parameters: { region: 'north', day: '2026-11-20' },
  state: 'done',
  dependsOn: [],
  attempts: 1,
  startedAt: 1_000,
  endedAt: 3_400,
  inputs: [],
  outputs: [],
};
const line = (change: Partial<TaskRecord>, kind: 'task' | 'status' = 'task') =>
  taskLine({ kind, task: { ...task, ...change }, previous: undefined, at: 0 });

describe('what the log says of a task', () => {
  it('is its family and parameters, its new state and how long it took', () => {
    assert.equal(line({}), '  ✔ done  orders.Load(region=north, day=2026-11-20)  2.4 s');
  });

  it('names the attempt from the second on', () => {
    assert.equal(
      line({ state: 'running', attempts: 2 }),
      '  ▶ running  orders.Load(region=north, day=2026-11-20), attempt 2',
    );
  });

  it('has a word for every state, and no line for a task that only waits', () => {
    const lines = TASK_STATES.map((state) => line({ state }));
    assert.deepEqual(
      lines.map((text) => text === undefined),
      TASK_STATES.map((state) => state === 'pending'),
    );
    assert.equal(new Set(lines).size, TASK_STATES.length);
  });

  it('shows the status message with the progress', () => {
    assert.equal(
      line({ statusMessage: '3 of 4 files', progress: 75 }, 'status'),
      '    orders.Load(region=north, day=2026-11-20): 3 of 4 files (75 %)',
    );
  });
});

describe('the row of a task', () => {
  it('is completed with a result once the task has ended, and only then', () => {
    const open = TASK_STATES.filter((state) => taskRow({ ...task, state }, 'id', 1).state !== 'completed');
    assert.deepEqual(open, ['pending', 'running']);
    for (const state of TASK_STATES) {
      const row = taskRow({ ...task, state }, 'id', 1);
      assert.equal(row.result !== undefined, row.state === 'completed', state);
    }
  });

  it('is green for done and already complete only', () => {
    const green = TASK_STATES.filter((state) => taskRow({ ...task, state }, 'id', 1).result === 'Succeeded');
    assert.deepEqual(green, ['done', 'complete']);
  });
});
