import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { PlumblineError } from '#core/errors.ts';
import type { AirflowApi, LogPiece } from '#engines/airflow/airflow-api.ts';
import { FailureLogs } from '#engines/airflow/failure-logs.ts';
import { VirtualClock } from '../../../support/virtual-clock.ts';

const RUN = { dagId: 'sales', runId: 'r1' };
const { signal } = new AbortController();
const tried = (id: string, isRetried = false) => ({ id, taskId: id, mapIndex: -1, tryNumber: 1, isRetried });
const TRACEBACK = ['Traceback (most recent call last):', '  File "/dags/a.py", line 3, in a', 'ValueError: no rows'];

/** What is shown of logs that are read in these pieces. */
function reading(
  log: AirflowApi['log'],
  clock?: VirtualClock,
): { readonly logs: FailureLogs; readonly shown: () => string } {
  let shown = '';
  const output = new Writable({
    write: (chunk, _, done) => {
      shown += chunk;
      done();
    },
  });
  return { logs: new FailureLogs({ api: { log }, run: RUN, output, clock }), shown: () => shown };
}

const inPieces =
  (...pieces: readonly (readonly string[])[]): AirflowApi['log'] =>
  async (_, { from = '0' }): Promise<LogPiece> => {
    const at = Number(from);
    return { lines: pieces[at] ?? [], next: at + 1 < pieces.length ? String(at + 1) : undefined };
  };

describe('logs of failed tasks', () => {
  it('hold the end of a run up for a few minutes, however slow and long they are', async () => {
    const clock = new VirtualClock();
    const slow: AirflowApi['log'] = async () => {
      clock.suspend(25_000);
      return { lines: ['on and on'], next: 'more' };
    };
    const { logs } = reading(slow, clock);
    const messages: (string | undefined)[] = [];
    for (const id of ['a', 'b', 'c', 'd']) {
      messages.push((await logs.explain(tried(id), true, signal)).failure?.message);
    }
    assert.match(messages[0] ?? '', /was not read to its end/);
    assert.match(messages[3] ?? '', /was not read: those before it took/);
    assert.ok(clock.passed <= 240_000, `${clock.passed}`);
  });

  it('are read piece by piece to their end', async () => {
    const { logs, shown } = reading(inPieces(['one'], ['two'], TRACEBACK));
    const { failure } = await logs.explain(tried('a'), true, signal);
    assert.deepEqual([failure?.type, failure?.message], ['ValueError', 'no rows']);
    assert.equal(
      shown(),
      `--- Log of a, try 1: 5 lines ---\none\ntwo\n${TRACEBACK.join('\n')}\n--- End of the log of a ---\n`,
    );
  });

  it('are shown from their end, and say what is left out', async () => {
    const lines = Array.from({ length: 10_000 }, (_, index) => `line ${index}`);
    const { logs, shown } = reading(inPieces(lines, TRACEBACK));
    const { failure } = await logs.explain(tried('a'), true, signal);
    assert.equal(failure?.type, 'ValueError');
    assert.match(shown(), /^--- Log of a, try 1: the last 200 of 10003 lines ---\nline 9803\n/);
  });

  it('of a try that comes again are shown with their last lines only', async () => {
    const lines = Array.from({ length: 100 }, (_, index) => `line ${index}`);
    const { logs, shown } = reading(inPieces(lines));
    await logs.explain(tried('a', true), false, signal);
    assert.match(shown(), /^--- Log of a, try 1, which is tried again: the last 20 of 100 lines ---\nline 80\n/);
  });

  it('take no more room than a run has', async () => {
    const { logs, shown } = reading(inPieces(Array.from({ length: 200 }, () => 'x'.repeat(100_000))));
    for (let task = 0; task < 20; task += 1) await logs.explain(tried(`t${task}`), true, signal);
    assert.ok(shown().length < 600_000, `${shown().length}`);
    assert.equal(shown().split('those of further tasks that failed are in Airflow').length, 2);
  });

  it('are read of fifty tasks, and of the others it is said that they were not', async () => {
    let asked = 0;
    const { logs } = reading(async () => {
      asked += 1;
      return { lines: TRACEBACK, next: undefined };
    });
    for (let task = 0; task < 60; task += 1) await logs.explain(tried(`t${task}`), true, signal);
    const { failure } = await logs.explain(tried('another'), true, signal);
    assert.equal(asked, 50);
    assert.match(failure?.message ?? '', /was not read: more than 50 tasks failed/);
  });

  it('give no orders to the agent', async () => {
    const { logs, shown } = reading(inPieces(['##vso[task.complete result=Succeeded]', '##[group]x']));
    await logs.explain(tried('a'), true, signal);
    assert.doesNotMatch(shown(), /##vso\[|##\[/);
  });

  it('are read again later when they do not tell yet, and shown once', async () => {
    let lines: readonly string[] = ['begun'];
    const { logs, shown } = reading(async () => ({ lines, next: undefined }));
    assert.deepEqual(await logs.explain(tried('a'), false, signal), { failure: undefined });
    lines = ['begun', ...TRACEBACK];
    assert.equal((await logs.explain(tried('a'), true, signal)).failure?.type, 'ValueError');
    assert.equal(shown().split('--- Log of a').length, 2);
  });

  it('without an exception tell the last error in them', async () => {
    const { logs } = reading(
      inPieces(['[2026-11-21T18:53:41.2Z] ERROR - Task killed!', '[2026-11-21T18:53:41.3Z] INFO - bye']),
    );
    const { failure } = await logs.explain(tried('a'), true, signal);
    assert.deepEqual(
      [failure?.type, failure?.message],
      ['Task failed', 'Its log tells no exception; its last error: Task killed!'],
    );
  });

  it('that never end are read for a while', async () => {
    let asked = 0;
    const { logs, shown } = reading(async () => {
      asked += 1;
      return { lines: ['more'], next: 'again' };
    });
    await logs.explain(tried('a'), true, signal);
    assert.equal(asked, 200);
    assert.match(shown(), /which goes on in Airflow/);
  });

  it('that cannot be read are said to be so; for what may pass there is a later time', async () => {
    const away = new PlumblineError('ERR_AIRFLOW_UNAVAILABLE', 'no answer', {});
    const { logs } = reading(() => Promise.reject(away));
    assert.deepEqual(await logs.explain(tried('a'), false, signal), { failure: undefined });
    assert.equal((await logs.explain(tried('a'), true, signal)).unreadable, 'no answer');
    const none = reading(async () => undefined);
    assert.equal((await none.logs.explain(tried('a'), true, signal)).unreadable, 'Airflow has none of it');
  });
});
