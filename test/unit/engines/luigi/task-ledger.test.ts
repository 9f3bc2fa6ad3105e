import assert from 'node:assert/strict';
import type { RunUpdate, TaskState } from '#core/run.ts';
import { parseLine } from '#engines/luigi/parse-event.ts';
import { TaskLedger } from '#engines/luigi/task-ledger.ts';

let clock = 0;

function fold(ledger: TaskLedger, e: string, fields: object): readonly RunUpdate[] {
  clock += 1;
  const parsed = parseLine(JSON.stringify({ v: 1, e, at: clock, pid: 1, ...fields }));
  assert.equal(parsed.kind, 'event', e);
  return parsed.kind === 'event' ? ledger.fold(parsed.event) : [];
}

function told(task: string, fields: object = {}): object {
  return {
    task,
    family: task,
    module: 'm',
    params: {},
    deps: [],
    status: 'PENDING',
    runnable: true,
    external: false,
    ...fields,
  };
}

function moves(updates: readonly RunUpdate[]): string[] {
  return updates.flatMap((update) => (update.kind === 'task' ? [`${update.previous} → ${update.task.state}`] : []));
}

function states(ledger: TaskLedger): Record<string, TaskState> {
  return Object.fromEntries(ledger.records().map(({ id, state }) => [id, state]));
}

describe('the ledger of tasks', () => {
  let ledger: TaskLedger;
  beforeEach(() => {
    ledger = new TaskLedger();
  });

  it('follows a task from pending to done, each transition once', () => {
    assert.deepEqual(moves(fold(ledger, 'task', told('A'))), ['undefined → pending']);
    assert.deepEqual(moves(fold(ledger, 'task', told('A'))), []);
    assert.deepEqual(moves(fold(ledger, 'start', { task: 'A' })), ['pending → running']);
    assert.deepEqual(moves(fold(ledger, 'end', { task: 'A', status: 'DONE' })), ['running → done']);
    const { attempts, startedAt, endedAt } = ledger.get('A') ?? {};
    assert.deepEqual([attempts, Number(endedAt) - Number(startedAt)], [1, 1_000]);
  });

  it('shows a task first when the scheduler is told of it, though its outputs were asked before', () => {
    const outputs = { task: 'A', targets: [{ type: 'LocalTarget', namespace: 'file', name: '/a' }, { type: 'Mock' }] };
    assert.deepEqual(fold(ledger, 'outputs', outputs), []);
    assert.deepEqual(moves(fold(ledger, 'task', told('A', { status: 'DONE' }))), ['undefined → complete']);
    assert.deepEqual(ledger.get('A')?.outputs, [{ namespace: 'file', name: '/a', type: 'LocalTarget' }]);
  });

  it('tells apart what was complete, missing, disabled and unschedulable from the start', () => {
    fold(ledger, 'task', told('complete', { status: 'DONE' }));
    fold(ledger, 'task', told('missing', { runnable: false, external: true }));
    fold(ledger, 'task', told('disabled', { status: 'DISABLED' }));
    fold(ledger, 'task', told('unschedulable', { status: 'UNKNOWN', runnable: false }));
    fold(ledger, 'elsewhere', { task: 'elsewhere' });
    assert.deepEqual(
      Object.entries(states(ledger)).filter(([id, state]) => id !== state),
      [],
    );
  });

  it('finds an external input that appeared during the run', () => {
    fold(ledger, 'task', told('A', { runnable: true, external: true }));
    assert.deepEqual(moves(fold(ledger, 'task', told('A', { status: 'DONE', external: true }))), [
      'missing → complete',
    ]);
  });

  it('counts a retry and not the resume after dynamic dependencies', () => {
    fold(ledger, 'task', told('A'));
    fold(ledger, 'start', { task: 'A' });
    assert.deepEqual(moves(fold(ledger, 'deps', { task: 'A', deps: ['B'] })), ['running → pending']);
    fold(ledger, 'start', { task: 'A' });
    assert.equal(ledger.get('A')?.attempts, 1);
    fold(ledger, 'failure', { task: 'A', type: 'ValueError', message: 'no', traceback: 't', frames: [] });
    fold(ledger, 'end', { task: 'A', status: 'FAILED' });
    fold(ledger, 'start', { task: 'A' });
    assert.deepEqual([ledger.get('A')?.attempts, ledger.get('A')?.failure], [2, undefined]);
  });

  it('keeps a failure that its child told before the worker told of the start', () => {
    fold(ledger, 'task', told('A'));
    fold(ledger, 'failure', { task: 'A', type: 'ValueError', message: 'no', traceback: 't', frames: [] });
    fold(ledger, 'start', { task: 'A' });
    fold(ledger, 'end', { task: 'A', status: 'FAILED' });
    assert.equal(ledger.get('A')?.failure?.type, 'ValueError');
    assert.equal(ledger.get('A')?.state, 'failed');
  });

  it('calls the parent of a failed dynamic dependency blocked, not missing', () => {
    fold(ledger, 'task', told('parent'));
    fold(ledger, 'start', { task: 'parent' });
    fold(ledger, 'task', told('child'));
    fold(ledger, 'deps', { task: 'parent', deps: ['child'] });
    fold(ledger, 'start', { task: 'child' });
    fold(ledger, 'end', { task: 'child', status: 'FAILED' });
    assert.deepEqual(moves(ledger.settle('orderly', 9)), ['pending → blocked']);
    assert.deepEqual(states(ledger), { parent: 'blocked', child: 'failed' });
  });

  it('settles a chain behind a missing input as blocked, and what nothing hinders as pending', () => {
    fold(ledger, 'task', told('C', { deps: ['B'] }));
    fold(ledger, 'task', told('B', { deps: ['A'] }));
    fold(ledger, 'task', told('A', { external: true, runnable: false }));
    fold(ledger, 'task', told('free', { deps: ['done'] }));
    fold(ledger, 'task', told('done', { status: 'DONE' }));
    ledger.settle('orderly', 9);
    assert.deepEqual(states(ledger), { C: 'blocked', B: 'blocked', A: 'missing', free: 'pending', done: 'complete' });
  });

  for (const [ending, running, waiting] of [
    ['broken', 'died', 'pending'],
    ['lost', 'unknown', 'unknown'],
  ] as const) {
    it(`settles a run that is ${ending}`, () => {
      fold(ledger, 'task', told('R'));
      fold(ledger, 'start', { task: 'R' });
      fold(ledger, 'task', told('W', { deps: ['R'] }));
      ledger.settle(ending, 9);
      assert.deepEqual(states(ledger), { R: running, W: waiting });
    });
  }

  it('keeps that a process died when Luigi then says failed', () => {
    fold(ledger, 'task', told('A'));
    fold(ledger, 'start', { task: 'A' });
    fold(ledger, 'died', { task: 'A', signal: 'SIGKILL' });
    fold(ledger, 'end', { task: 'A', status: 'FAILED' });
    assert.equal(ledger.get('A')?.state, 'died');
    assert.match(ledger.get('A')?.failure?.message ?? '', /SIGKILL/);
  });

  it('does not know a status that it was not told of, whatever its name', () => {
    for (const status of ['LATER', '__proto__', 'constructor']) {
      fold(ledger, 'end', { task: status, status });
      assert.equal(ledger.get(status)?.state, 'unknown');
    }
  });

  it('starts the members of a batch with it', () => {
    for (const task of ['a', 'b']) fold(ledger, 'task', told(task));
    assert.deepEqual(moves(fold(ledger, 'batch', { task: 'ab', members: ['a', 'b'] })), [
      'pending → running',
      'pending → running',
    ]);
  });

  it('names the last frame of the user, not of a library', () => {
    const frames = [
      '/venv/lib/python3.11/site-packages/luigi/worker.py',
      '/repo/load.py',
      '/venv/lib/python3.11/json/decoder.py',
    ];
    fold(ledger, 'failure', {
      task: 'A',
      type: 'E',
      message: '',
      traceback: '',
      frames: frames.map((file, line) => ({ file, line, function: 'f' })),
    });
    assert.equal(ledger.get('A')?.failure?.frame?.file, '/repo/load.py');
  });

  it('never changes a record that it gave out', () => {
    const [first] = fold(ledger, 'task', told('A', { params: { day: '1' } }));
    const copy = structuredClone(first);
    for (const e of ['start', 'end']) fold(ledger, e, { task: 'A', status: 'DONE' });
    fold(ledger, 'deps', { task: 'A', deps: ['B'] });
    assert.deepEqual(first, copy);
  });

  it('gives the graph as it was discovered', () => {
    assert.equal(ledger.graph(), undefined);
    fold(ledger, 'root', { task: 'A', family: 'A', params: {} });
    fold(ledger, 'task', told('A', { deps: ['B'] }));
    fold(ledger, 'task', told('B'));
    assert.deepEqual([ledger.graph()?.root, [...(ledger.graph()?.nodes.get('A')?.dependsOn ?? [])]], ['A', ['B']]);
  });
});
