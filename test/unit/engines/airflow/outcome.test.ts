import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { PlumblineError } from '#core/errors.ts';
import type { TaskRecord } from '#core/run.ts';
import { concludeDagRun, type EndedDagRun } from '#engines/airflow/airflow-outcome.ts';
import { DIMENSIONS, type Dimensions, matchingRows, OUTCOME_ROWS } from '#engines/airflow/outcome-rows.ts';

const task = (id: string, state: TaskRecord['state']): TaskRecord => ({
  id,
  family: id,
  parameters: {},
  state,
  dependsOn: [],
  attempts: 1,
  inputs: [],
  outputs: [],
});
const GOOD = [task('a', 'done'), task('b', 'skipped'), task('c', 'blocked')];
const FAILED = [task('a', 'failed'), task('b', 'done')];
const OPEN = [task('a', 'done'), task('b', 'unknown')];
const unread = 'Forbidden';
const because = new PlumblineError('ERR_AIRFLOW_REFUSED', 'it is forbidden', { remedy: 'Ask somebody.' });

const RUN: EndedDagRun = {
  dagId: 'sales',
  runId: 'r1',
  airflow: 'Airflow at https://airflow.example',
  version: '3.3.2',
  word: 'success',
  stop: 'no',
  began: true,
  failOnTaskFailure: false,
  tasks: GOOD,
  notes: [],
  startedAt: 1,
  endedAt: 2,
  adopted: false,
};

/** One test a row. */
const CASES: Readonly<
  Record<string, { readonly run: Partial<EndedDagRun>; readonly found: readonly string[]; readonly says: RegExp }>
> = {
  lost: {
    run: { word: 'lost', awayMs: 601_000, because },
    found: ['error ERR_RUN_LOST'],
    says: /has not told of it for 601 s \(it is forbidden\)/,
  },
  deleted: { run: { word: 'deleted' }, found: ['error ERR_RUN_LOST'], says: /was deleted/ },
  refused: {
    run: { word: 'refused', because },
    found: ['error ERR_RUN_LOST', 'error ERR_AIRFLOW_REFUSED'],
    says: /ends: it is forbidden/,
  },
  cancelled: { run: { stop: 'cancelled', tasks: FAILED }, found: ['error ERR_RUN_CANCELLED'], says: /was cancelled/ },
  deadline: {
    run: { word: 'failed', stop: 'deadline', tasks: FAILED },
    found: ['error ERR_RUN_DEADLINE'],
    says: /its time was up/,
  },
  queued: {
    run: {
      word: 'failed',
      stop: 'deadline',
      began: false,
      queued: { limitMs: 60_000, reasons: ['the DAG is paused'] },
    },
    found: ['error ERR_RUN_QUEUED'],
    says: /queued for more than 60 s: the DAG is paused$/,
  },
  'task-failed': {
    run: { word: 'failed', tasks: FAILED },
    found: ['error ERR_RUN_TASK_FAILED'],
    says: /failed \(1 done, 1 failed\)$/,
  },
  'failed-by-itself': { run: { word: 'failed' }, found: ['error ERR_RUN_FAILED'], says: /none of its tasks did/ },
  'failed-unread': {
    run: { word: 'failed', unread },
    found: ['error ERR_RUN_FAILED'],
    says: /could not be read: Forbidden/,
  },
  'nothing-ran': {
    run: { tasks: [] },
    found: ['warning ERR_RUN_UNVERIFIED'],
    says: /without a single task in it$/,
  },
  succeeded: { run: {}, found: [], says: /^The run r1 of the DAG sales succeeded \(1 done, 1 blocked, 1 skipped\)$/ },
  'hidden-failure': { run: { tasks: FAILED }, found: ['warning ERR_RUN_TASK_FAILED'], says: /with failed tasks in it/ },
  'hidden-failure-red': {
    run: { tasks: FAILED, failOnTaskFailure: true },
    found: ['error ERR_RUN_TASK_FAILED'],
    says: /failOnTaskFailure is set$/,
  },
  unverified: {
    run: { tasks: OPEN },
    found: ['warning ERR_RUN_UNVERIFIED'],
    says: /1 of its tasks had not come to an end: b/,
  },
  'unverified-red': {
    run: { unread, failOnTaskFailure: true },
    found: ['error ERR_RUN_UNVERIFIED'],
    says: /could not be read \(Forbidden\)/,
  },
};

function everyCombination(): readonly Dimensions[] {
  let all: readonly object[] = [{}];
  for (const [name, values] of Object.entries(DIMENSIONS)) {
    all = all.flatMap((dimensions) => values.map((value) => ({ ...dimensions, [name]: value })));
  }
  return all as readonly Dimensions[];
}

describe('the outcome of a DAG run', () => {
  it('is one row of the table for every combination of evidence', () => {
    for (const dimensions of everyCombination()) {
      assert.equal(matchingRows(dimensions).length, 1, JSON.stringify(dimensions));
    }
  });

  it('is green only for a run that Airflow calls a success and that we did not stop', () => {
    for (const dimensions of everyCombination()) {
      const [row] = matchingRows(dimensions);
      if (row?.state === 'succeeded') assert.deepEqual([dimensions.word, dimensions.stop], ['success', 'no']);
      if (row?.verified === 'confirmed') assert.ok(['good', 'failed'].includes(dimensions.tasks));
    }
  });

  it('is never failed without evidence', () => {
    for (const dimensions of everyCombination()) {
      const isFailed = matchingRows(dimensions)[0]?.state === 'failed';
      if (isFailed)
        assert.ok(dimensions.word === 'failed' || dimensions.tasks === 'failed', JSON.stringify(dimensions));
    }
  });

  it('has a test for each row', () => {
    assert.deepEqual(
      Object.keys(CASES),
      OUTCOME_ROWS.map(({ name }) => name),
    );
  });

  for (const row of OUTCOME_ROWS) {
    it(`${row.name}: ${row.state}`, () => {
      const { run, found, says } = CASES[row.name] as (typeof CASES)[string];
      const outcome = concludeDagRun({ ...RUN, ...run });
      assert.deepEqual([outcome.state, outcome.verified], [row.state, row.verified]);
      assert.deepEqual(
        outcome.findings.map(({ severity, code }) => `${severity} ${code}`),
        found,
      );
      assert.match(outcome.summary ?? '', says);
      assert.equal(outcome.rootTaskId, undefined);
    });
  }

  it('stands in docs/outcomes.md as it is decided', () => {
    const page = readFileSync(new URL('../../../../docs/outcomes.md', import.meta.url), 'utf8');
    const names = Object.keys(DIMENSIONS) as (keyof Dimensions)[];
    for (const { name, when, state, verified, code, severity } of OUTCOME_ROWS) {
      const cells = names.map((dimension) => when[dimension]?.join(', ') ?? '');
      const told = code === undefined ? '' : severity === 'warning' ? `${code} (warning)` : code;
      const line = `| ${[`\`${name}\``, ...cells, state, verified, told].join(' | ')} |`.replaceAll(
        /\| {2}(?=\|)/g,
        '| ',
      );
      assert.ok(page.includes(line), line);
    }
  });

  it('names fifty failed tasks, and says how many more there are', () => {
    const tasks = Array.from({ length: 60 }, (_, index) => task(`t${index}`, 'failed'));
    const { findings } = concludeDagRun({ ...RUN, word: 'failed', tasks });
    assert.equal(findings.length, 51);
    assert.equal(findings.at(-1)?.message, '10 more tasks failed');
  });
});
