import assert from 'node:assert/strict';
import { failureReport, judged, mochaCounts, pytestCounts } from '../../../scripts/test-counts.ts';

const MOCHA = `
  manifest
    ✔ has an icon
    - passes the schema (needs ../shared/specs)

  12 passing (3s)
  1 pending
  2 failing

  1) manifest
       - expected
`;

const PYTEST = `
..s.F
SKIPPED [1] test/worker/test_runs.py:12: no luigid
FAILED test/worker/test_runs.py::test_x
1 failed, 3 passed, 1 skipped in 4.21s
`;

describe('counting tests', () => {
  it('reads what mocha says', () => {
    const skips = ['passes the schema (needs ../shared/specs)'];
    assert.deepEqual(mochaCounts(MOCHA), { passed: 12, failed: 2, skips });
  });

  it('reads what pytest says', () => {
    const skips = ['test/worker/test_runs.py:12: no luigid'];
    assert.deepEqual(pytestCounts(PYTEST), { passed: 3, failed: 1, skips });
    assert.equal(pytestCounts('2 passed, 3 errors in 71.20s (0:01:11)').failed, 3);
  });

  it('shows failures without what went well, and everything of a runner that broke down', () => {
    assert.match(failureReport(MOCHA), /^12 passing/);
    assert.equal(failureReport('..F\n=== FAILURES ===\nwhy\n'), '=== FAILURES ===\nwhy');
    assert.equal(failureReport('Error: no such file\n'), 'Error: no such file');
  });

  it('takes a runner that ends badly, or without a word, for a failure', () => {
    const good = { passed: 5, failed: 0, skips: [] };
    assert.equal(judged(good, 0, false).failed, 0);
    assert.equal(judged(good, 1, false).failed, 1);
    assert.equal(judged(good, null, false).failed, 1);
    assert.equal(judged({ ...good, failed: 3 }, 3, false).failed, 3);
    assert.equal(judged({ ...good, passed: 0 }, 0, false).failed, 1);
  });

  it('forbids every skip in continuous integration but that of the specifications', () => {
    const counts = { passed: 5, failed: 0, skips: ['a (needs ../shared/specs)', 'b'] };
    assert.equal(judged(counts, 0, false).failed, 0);
    assert.equal(judged(counts, 0, true).failed, 1);
  });
});
