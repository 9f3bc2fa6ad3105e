import assert from 'node:assert/strict';
import type { TaskRecord } from '#core/run.ts';
import { taskFindings } from '#engines/luigi/findings.ts';

function task(id: string, state: TaskRecord['state'], failure?: Partial<TaskRecord['failure']>): TaskRecord {
  const record = {
    id,
    family: id,
    parameters: { day: '2026-11-20' },
    state,
    dependsOn: [],
    attempts: 1,
    inputs: [],
    outputs: [],
  };
  return failure
    ? { ...record, failure: { type: 'ValueError', message: 'bad\nrow', traceback: '', ...failure } }
    : record;
}

describe('findings of tasks', () => {
  it('name family, parameters and the last frame, the most important first', () => {
    const frame = { file: '/repo/load.py', line: 3, function: 'run' };
    const tasks = [task('W', 'blocked'), task('E', 'missing'), task('F', 'failed', { frame }), task('D', 'done')];
    const found = taskFindings(tasks, [], 'error');
    assert.deepEqual(
      found.map(({ code, message }) => `${code} ${message}`),
      [
        'ERR_RUN_FAILED F(day=2026-11-20) failed: ValueError: bad row',
        'ERR_RUN_MISSING_INPUT E(day=2026-11-20) is an external input, and it is missing',
        'ERR_RUN_NOT_RUN W(day=2026-11-20) could not run because of other tasks',
      ],
    );
    assert.deepEqual(found[0]?.frame, frame);
  });

  it('tell a stalled task from one that died', () => {
    const [died, stalled] = taskFindings(
      [
        task('A', 'died', { type: 'ProcessDied', message: 'gone' }),
        task('B', 'died', { type: 'ProcessStalled', message: 'still' }),
      ],
      [],
      'error',
    );
    assert.deepEqual([died?.code, stalled?.code], ['ERR_RUN_DIED', 'ERR_RUN_STALLED']);
  });
});
