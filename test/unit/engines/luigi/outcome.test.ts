import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { classify, DIMENSIONS, type Dimensions, type Evidence } from '#engines/luigi/evidence.ts';
import type { ExitRecord } from '#engines/luigi/exit-record.ts';
import { matches, OUTCOME_ROWS, outcomeRow } from '#engines/luigi/outcome-rows.ts';

const FULL: Evidence = {
  record: { code: 0, signal: null, stopped: false, killed: 0, left: 0 },
  hello: { e: 'hello', at: 0, luigi: '3.8.1', python: '3.11.7', worker: '1', runId: 'run-1' },
  runId: 'run-1',
  hasRoot: true,
  unended: 0,
  asked: { complete: true, verifiable: true, error: '' },
  bye: 0,
  stalled: false,
  anythingRan: true,
};
const exit = (code: number | null, signal: string | null = null): ExitRecord => ({
  code,
  signal,
  stopped: false,
  killed: 0,
  left: 0,
});
const asked = (complete: boolean | null, verifiable = true) => ({ complete, verifiable, error: 'boom' });
const refused = {
  e: 'refused',
  at: 0,
  code: 'ERR_MODULE_IMPORT',
  message: 'no',
  remedy: undefined,
  frames: [],
} as const;
const rejected = {
  e: 'rejected',
  at: 0,
  task: 'sales.Load_1',
  family: 'sales.Load',
  reason: 'family',
  message: 'no token for this family',
  status: 400,
} as const;
const cut = { bye: undefined, asked: undefined };

/** One test a row, and more where several kinds of evidence lead to it. */
const CASES: readonly (readonly [row: string, evidence: Partial<Evidence>])[] = [
  ['cancelled', { stop: 'cancelled', record: exit(null, 'SIGTERM'), ...cut }],
  ['cancelled', { stop: 'cancelled' }],
  ['cancelled', { stop: 'cancelled', record: undefined, supervisorStatus: 143, hello: undefined }],
  ['cancel-unconfirmed', { stop: 'cancelled', record: undefined }],
  ['deadline', { stop: 'deadline', record: exit(143), ...cut }],
  ['deadline', { stop: 'deadline' }],
  ['deadline-unconfirmed', { stop: 'deadline', record: undefined, ...cut }],
  ['foreign-protocol', { foreign: '2' }],
  ['refused', { refused, record: exit(64), ...cut }],
  ['refused', { refused, record: undefined, ...cut }],
  ['identity-rejected', { rejected, record: { ...exit(null, 'SIGTERM'), stopped: true }, ...cut }],
  ['identity-rejected', { rejected }],
  ['identity-rejected', { rejected, refused, record: exit(64), ...cut }],
  ['identity-rejected', { rejected, record: exit(40), bye: 40 }],
  ['identity-rejected', { record: { ...exit(143), rejected: true }, ...cut }],
  ['identity-rejected-unconfirmed', { rejected, record: undefined, ...cut }],
  ['cancelled', { stop: 'cancelled', rejected, record: exit(143), ...cut }],
  ['lost', { record: undefined }],
  ['lost', { record: undefined, supervisorStatus: 0 }],
  ['lost', { record: undefined, ...cut }],
  ['never-began', { record: undefined, supervisorStatus: 1, hello: undefined, ...cut }],
  ['stalled', { stalled: true, record: exit(30), ...cut }],
  ['killed', { record: exit(null, 'SIGKILL'), ...cut }],
  ...[-9, 137, -11, 139, -15, 143, -2, 130].map((code) => ['killed', { record: exit(code), ...cut }] as const),
  ['killed', { record: { ...exit(0), stopped: true }, ...cut }],
  ...[0, 1, 2, 4, 7, 10, 20, 25, 30, 35, 40, 64, 120].map(
    (code) => ['left-early', { record: exit(code), ...cut }] as const,
  ),
  ['left-early', { bye: undefined }],
  ['killed-at-end', { record: exit(null, 'SIGSEGV') }],
  ['killed-at-end', { record: { ...exit(0), stopped: true } }],
  ['status-changed', { record: exit(7) }],
  ['status-changed', { record: exit(30) }],
  ['already-running', { record: exit(10), bye: 10 }],
  ['missing-input', { record: exit(20), bye: 20, asked: asked(false) }],
  ['not-run', { record: exit(25), bye: 25, asked: asked(false) }],
  ['task-failed', { record: exit(30), bye: 30, asked: asked(false) }],
  ['task-failed', { record: exit(0), bye: 30, asked: asked(true) }],
  ['task-failed', { record: exit(null, 'SIGKILL'), bye: 30, stalled: true }],
  ['scheduling', { record: exit(35), bye: 35, asked: asked(null) }],
  ['unhandled', { record: exit(40), bye: 40, asked: undefined }],
  ['other-verdict', { record: exit(4), bye: 4, asked: undefined }],
  ['torn', { hello: undefined }],
  ['torn', { runId: 'run-2' }],
  ['torn', { hasRoot: false }],
  ['torn', { unended: 1, record: exit(120) }],
  ['torn', { hasRoot: false, asked: asked(false, false) }],
  ['unasked', { hasRoot: false, asked: undefined }],
  ['incomplete', { unended: 1, asked: asked(false) }],
  ['task-failed', { record: exit(30), bye: 30, hasRoot: false }],
  ['succeeded', {}],
  ['succeeded', { record: exit(120) }],
  ['succeeded', { asked: asked(true, false) }],
  ['nothing-to-run', { anythingRan: false }],
  ['unverifiable', { asked: asked(false, false) }],
  ['unverifiable', { asked: asked(false, false), anythingRan: false }],
  ['incomplete', { asked: asked(false) }],
  ['unanswered', { asked: asked(null) }],
  ['unasked', { asked: undefined }],
];

/** Every combination of the dimensions' values. */
function* combinations(names = Object.keys(DIMENSIONS) as (keyof Dimensions)[]): Generator<Record<string, string>> {
  const [name, ...others] = names;
  if (name === undefined) return yield {};
  for (const rest of combinations(others)) for (const value of DIMENSIONS[name]) yield { ...rest, [name]: value };
}

describe('the outcome of a run', () => {
  for (const [id, evidence] of CASES) {
    it(`is ${id} for ${JSON.stringify(evidence, (_, value) => (value === undefined ? 'absent' : value))}`, () => {
      assert.equal(outcomeRow(classify({ ...FULL, ...evidence })).id, id);
    });
  }

  it('has a case above for every row', () => {
    assert.deepEqual([...new Set(CASES.map(([id]) => id))].sort(), OUTCOME_ROWS.map(({ id }) => id).sort());
  });

  it('is exactly one row for every combination, and green for none but the full evidence', () => {
    let count = 0;
    for (const combination of combinations()) {
      const dimensions = combination as unknown as Dimensions;
      const rows = OUTCOME_ROWS.filter(({ when }) => matches(when, dimensions));
      assert.equal(rows.length, 1, `${JSON.stringify(dimensions)}: ${rows.map(({ id }) => id)}`);
      if (rows[0]?.state === 'succeeded') {
        assert.equal(dimensions.stop + dimensions.word + dimensions.verdict, 'nonone0');
        assert.ok(['zero', 'flush'].includes(dimensions.process));
        assert.equal(dimensions.account, 'whole');
        assert.ok(dimensions.root === 'complete' || rows[0].code === 'ERR_RUN_UNVERIFIED');
      }
      count += 1;
    }
    assert.equal(
      count,
      Object.values(DIMENSIONS).reduce((product, values) => product * values.length, 1),
    );
  });

  it('is red with an error code, or lost with one, wherever it is not green', () => {
    for (const { id, state, code } of OUTCOME_ROWS) assert.ok(state === 'succeeded' || code !== undefined, id);
  });

  it('stands in docs/outcomes.md as it is decided', () => {
    const page = readFileSync(new URL('../../../../docs/outcomes.md', import.meta.url), 'utf8');
    const documented = page
      .split('\n')
      .map((line) => line.split('|').map((cell) => cell.trim()))
      .filter((cells) => cells.length === 13 && cells[1]?.startsWith('`') && cells[1] !== '`stop`');
    assert.deepEqual(documented.filter(([, row]) => row !== 'row').map(documentedRow), OUTCOME_ROWS.map(decidedRow));
  });
});

function documentedRow(cells: readonly string[]): object {
  const names = Object.keys(DIMENSIONS);
  const values = cells.slice(2, 2 + names.length).map((cell) => cell.replace('ended', 'zero, flush, status, signal'));
  const when = names.flatMap((name, i) => (values[i] ? [[name, values[i].split(', ').sort()]] : []));
  const code = cells[11]?.replace(' (warning)', '').replace("the refusal's own", 'refusal') || undefined;
  return { id: cells[1]?.replaceAll('`', ''), when: Object.fromEntries(when), state: cells[10], code };
}

function decidedRow({ id, when, state, code }: (typeof OUTCOME_ROWS)[number]): object {
  const sorted = Object.entries(when).map(([name, values]) => [name, [...values].sort()]);
  return { id, when: Object.fromEntries(sorted), state, code };
}
