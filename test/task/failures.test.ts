import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LuigiSteps } from '../support/luigi-steps.ts';

const FOUR = { workers: '4' };
const TWO_ATTEMPTS = { 'luigi.cfg': '[scheduler]\nretry_count=2\nretry_delay=1\n[worker]\nkeep_alive=true\n' };

describe('RunLuigi@1: tasks that fail', () => {
  const steps = new LuigiSteps({
    one: { module: 'many', task: 'Broken', parameters: { number: 7, region: 'south east' } },
    many: { module: 'many', task: 'Root' },
    elsewhere: { module: 'failing', task: 'Root', outside: true },
    dynamic: { module: 'dynamic', task: 'YieldsBroken' },
    dynamicWithFour: { module: 'dynamic', task: 'YieldsBroken', inputs: FOUR },
    givenUp: { module: 'retries', task: 'Root', parameters: { fails: 9 }, files: TWO_ATTEMPTS },
    givenUpWithFour: { module: 'retries', task: 'Root', parameters: { fails: 9 }, files: TWO_ATTEMPTS, inputs: FOUR },
    retried: { module: 'retries', task: 'Root', parameters: { fails: 1 }, files: TWO_ATTEMPTS },
    brokenHook: { module: 'broken_methods', task: 'BrokenOnFailure' },
    range: {
      module: 'ranges',
      task: 'RangeDaily',
      parameters: { of: 'Gappy', start: '2026-11-01', stop: '2026-11-04', now: '1795262400' },
    },
    nothingToRun: { module: 'retries', task: 'Root', parameters: { fails: 1 }, after: 'retried' },
    unverifiable: { module: 'no_output', task: 'SuperHello', inputs: FOUR },
  });

  before(async function () {
    this.timeout(120_000);
    await steps.run();
  });
  after(() => steps.remove());

  it('say family, parameters and exception, and point at the line in the repository', () => {
    const { issues, outputs, summary } = steps.failed('one', ['ERR_RUN_FAILED', 'ERR_RUN_FAILED']);
    const [, issue] = issues;
    assert.match(
      issue?.message ?? '',
      /Broken\(number=7, region=south east\) failed: ValueError: no rows for 7$/,
      steps.log,
    );
    assert.deepEqual([issue?.type, issue?.sourcePath, issue?.line], ['error', 'flows/many.py', 19]);
    assert.deepEqual([outputs['runState'], outputs['tasksTotal'], outputs['tasksFailed']], ['failed', '1', '1']);
    assert.match(outputs['rootTaskId'] ?? '', /^Broken_7_south_east_[0-9a-f]{10}$/);
    assert.match(
      outputs['runUrl'] ?? '',
      /^https:\/\/dev\.azure\.com\/fabrikam\/Canaries\/_build\/results\?buildId=\d+$/,
    );
    assert.match(outputs['reportFile'] ?? '', /report\.json$/);
    assert.match(outputs['lineageFile'] ?? '', /lineage\.jsonl$/);
    assert.match(summary, /no rows for 7/);
    assert.match(summary, /flows\/many\.py/);
  });

  it('are told ten at most, each kind at least once, the rest counted; the report has them all', () => {
    const { issues, said, report, outputs, codes } = steps.failed('many');
    assert.deepEqual(report.counts, { failed: 12, missing: 12, blocked: 13 });
    assert.deepEqual([outputs['tasksTotal'], outputs['tasksFailed']], ['37', '12']);
    assert.equal(codes.length, 1 + 12 + 12 + 13);
    assert.equal(issues.length, 10);
    assert.match(said, /Root of many failed: tasks of it failed/);
    assert.match(said, /Broken\(number=\d+, region=north\) failed: ValueError: no rows for \d+/);
    assert.match(said, /Upload\(number=\d+\) is an external input, and it is missing/);
    assert.match(said, /Root\(n=12\) could not run because of other tasks/);
    assert.match(issues.at(-1)?.message ?? '', /29 more/);
    for (const hidden of [/6 .*ERR_RUN_FAILED/, /11 .*ERR_RUN_MISSING_INPUT/, /12 .*ERR_RUN_NOT_RUN/]) {
      assert.match(issues.at(-1)?.message ?? '', hidden);
    }
  });

  it('outside the repository point at no line', () => {
    const { issues } = steps.failed('elsewhere');
    assert.match(issues[1]?.message ?? '', /^Broken failed: ValueError: no such value: seven \[ERR_RUN_FAILED\]$/);
    assert.deepEqual([issues[1]?.sourcePath, issues[1]?.line], [undefined, undefined]);
  });

  for (const name of ['dynamic', 'dynamicWithFour'] as const) {
    it(`and were yielded by a task (${name}): that one could not run, nothing is missing`, () => {
      const { report, said } = steps.failed(name, ['ERR_RUN_FAILED', 'ERR_RUN_FAILED', 'ERR_RUN_NOT_RUN']);
      assert.deepEqual(report.counts, { failed: 1, done: 1, blocked: 1 });
      assert.match(said, /Broken\(number=2\) failed: ValueError: no rows for 2/);
      assert.match(said, /YieldsBroken could not run because of other tasks/);
    });
  }

  for (const name of ['givenUp', 'givenUpWithFour'] as const) {
    it(`again and again (${name}) are given up`, () => {
      const { report, said, folder } = steps.failed(name, ['ERR_RUN_FAILED', 'ERR_RUN_FAILED', 'ERR_RUN_NOT_RUN']);
      assert.deepEqual(report.counts, { disabled: 1, blocked: 1 });
      assert.match(said, /Flaky\(fails=9\) was given up after its retries: OSError: try again/);
      assert.equal(readFileSync(join(folder, 'attempts.txt'), 'utf8'), 'xx');
    });
  }

  it('and then succeed are no failures', () => {
    const { report } = steps.succeeded('retried');
    assert.deepEqual(report.counts, { done: 2 });
    assert.equal(report.tasks.find(({ family }) => family === 'Flaky')?.attempts, 2);
  });

  it('in a range are named by their day, the other days are done', () => {
    const { report, said } = steps.failed('range', ['ERR_RUN_FAILED', 'ERR_RUN_FAILED', 'ERR_RUN_NOT_RUN']);
    assert.deepEqual(report.counts, { failed: 1, done: 2, blocked: 1 });
    assert.match(said, /Gappy\(date=2026-11-02\) failed: ValueError: no data of that day/);
  });

  it('and break a hook of their own break the run off: it says with which exception', () => {
    const { said, issues } = steps.failed('brokenHook');
    assert.match(said, /The whole run was broken off by ValueError: second/);
    assert.match(said, /BrokenOnFailure failed: ValueError: first/);
    assert.deepEqual([issues[1]?.sourcePath, issues[1]?.line], ['flows/broken_methods.py', 37]);
  });

  it('are not there when all was complete before: green, and nothing had to run', () => {
    const { report, outputs, summary } = steps.succeeded('nothingToRun');
    assert.equal(report.run.summary, 'Root of retries was already complete: nothing had to run');
    assert.deepEqual([outputs['runState'], outputs['tasksTotal'], outputs['tasksFailed']], ['succeeded', '1', '0']);
    assert.match(summary, /nothing had to run/);
    assert.match(steps.log, /nothing had to run/);
  });

  it('cannot be excluded for a root without output: green with a warning and its remedy', () => {
    const { result, issues, codes } = steps.ended('unverifiable');
    assert.deepEqual([result, codes], ['Succeeded', ['ERR_RUN_UNVERIFIED']], steps.log);
    assert.equal(issues[0]?.type, 'warning');
    assert.match(issues[0].message, /cannot be verified.*\. Give the root task an output\(\)/);
  });

  it('make the pipeline red', () => assert.equal(steps.status, 1));
});
