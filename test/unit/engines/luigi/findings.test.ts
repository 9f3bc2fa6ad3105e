import assert from 'node:assert/strict';
import type { Finding, TaskRecord } from '#core/run.ts';
import { capFindings, taskFindings } from '#engines/luigi/findings.ts';

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

  describe('are at most ten of each severity, as many as an agent keeps', () => {
    const many = (severity: Finding['severity'], code: Finding['code'], count: number): Finding[] =>
      Array.from({ length: count }, (_, i) => ({ severity, code, message: String(i) }));
    const messages = (findings: readonly Finding[]) => findings.map(({ message }) => message);

    it('all of them when they are no more', () => {
      const all = [...many('error', 'ERR_RUN_FAILED', 10), ...many('warning', 'ERR_RUN_UNVERIFIED', 10)];
      assert.deepEqual(capFindings(all), all);
    });

    it('else the last one counts the rest', () => {
      const kept = capFindings(many('error', 'ERR_RUN_FAILED', 25));
      assert.equal(kept.length, 10);
      assert.deepEqual(messages(kept).slice(0, 9), ['0', '1', '2', '3', '4', '5', '6', '7', '8']);
      assert.match(kept[9]?.message ?? '', /16 more \(16 ERR_RUN_FAILED\)/);
    });

    it('no code without one, in the order of importance', () => {
      const all = [
        ...many('error', 'ERR_RUN_FAILED', 25),
        ...many('error', 'ERR_RUN_MISSING_INPUT', 4),
        ...many('error', 'ERR_RUN_NOT_RUN', 12),
      ];
      const kept = capFindings(all);
      const codes = kept.slice(0, 9).map(({ code }) => code);
      assert.deepEqual(codes, [...Array(7).fill('ERR_RUN_FAILED'), 'ERR_RUN_MISSING_INPUT', 'ERR_RUN_NOT_RUN']);
      const counts = '18 ERR_RUN_FAILED, 3 ERR_RUN_MISSING_INPUT, 11 ERR_RUN_NOT_RUN';
      assert.ok(kept[9]?.message.includes(`32 more (${counts})`), kept[9]?.message);
    });
  });
});
