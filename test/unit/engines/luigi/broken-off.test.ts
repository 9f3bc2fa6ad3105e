import assert from 'node:assert/strict';
import { concludeRun } from '#engines/luigi/outcome.ts';
import { parseLine } from '#engines/luigi/parse-event.ts';
import { RunStory } from '#engines/luigi/run-story.ts';

const EVENTS = [
  { e: 'hello', luigi: '3.8.1', python: '3.12.1', worker: '1' },
  { e: 'root', task: 'Root__1', family: 'Root', params: {} },
  {
    e: 'aborted',
    type: 'ValueError',
    message: 'no such\nregion',
    traceback: 'Traceback …',
    frames: [{ file: '/src/orders.py', line: 12, function: 'on_start' }],
  },
  { e: 'bye', exitCode: 40 },
];

describe('a run that was broken off outside of its tasks', () => {
  it('says by what, and where in the code of the user', () => {
    const story = new RunStory();
    for (const event of EVENTS) story.fold(parseLine(JSON.stringify({ v: 1, at: 1, pid: 2, ...event })));
    const updates = concludeRun({
      story,
      module: 'orders',
      task: 'Root',
      runDirectory: '/runs/1',
      startedAt: 0,
      endedAt: 2_000,
      adopted: false,
      runId: 'run-1',
      stop: undefined,
      record: { code: 40, signal: null, stopped: false, killed: 0, left: 0 },
      supervisorStatus: 40,
    });
    const last = updates.at(-1);
    assert.equal(last?.kind, 'outcome');
    assert.equal(last.outcome.state, 'failed');
    assert.deepEqual(last.outcome.findings[1], {
      severity: 'error',
      code: 'ERR_RUN_FAILED',
      message: 'The whole run was broken off by ValueError: no such region',
      frame: { file: '/src/orders.py', line: 12, function: 'on_start' },
    });
  });
});
