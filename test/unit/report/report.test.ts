import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import fc from 'fast-check';
import { buildReport } from '#report/build-report.ts';
import { CAPS } from '#report/caps.ts';
import { parseReport } from '#report/parse-report.ts';
import type { Report } from '#report/schema.ts';
import { arbitraryOutcome, arbitraryProvenance, hostileText } from '../../support/arbitrary-run.ts';
import { sampleFacts } from '../../support/sample-report.ts';
import { failedRun, file, sampleProvenance, sampleTask, succeededRun } from '../../support/sample-run.ts';

const schema = JSON.parse(readFileSync(new URL('../../../docs/schemas/report-v1.json', import.meta.url), 'utf8'));
const validate = new Ajv2020({ allErrors: true }).compile(schema);

function parsed(json: string): Report {
  const result = parseReport(json);
  assert.ok(result.ok, result.ok ? '' : result.problem);
  return result.report;
}

function problemOf(change: (report: Record<string, unknown>) => unknown): string {
  const report = JSON.parse(JSON.stringify(buildReport(failedRun(), sampleProvenance(), sampleFacts())));
  const result = parseReport(JSON.stringify(change(report)));
  assert.ok(!result.ok);
  return result.problem;
}

describe('buildReport', () => {
  it('is read back as it was written and keeps to its schema, for any run', () => {
    fc.assert(
      fc.property(arbitraryOutcome, arbitraryProvenance, hostileText, (outcome, provenance, text) => {
        const report = buildReport(outcome, provenance, {
          ...sampleFacts(),
          runId: text,
          workflow: text,
          secrets: [{ vault: text, name: text, version: text }],
          gateway: {
            ...{ url: text, runId: text, authentication: 'entra', role: text, binding: text, policy: text, mode: text },
            ...{ isolation: text, starts: 2, code: { kind: text, digest: text, commit: text, commitProof: text } },
          },
        });
        const json = JSON.stringify(report);
        assert.deepEqual(parsed(json), JSON.parse(json));
        assert.ok(validate(JSON.parse(json)), JSON.stringify(validate.errors?.slice(0, 2)));
        assert.doesNotMatch(json, /\\u[dD][89a-fA-F]/, 'a lone surrogate');
      }),
    );
  });

  it('keeps what needs a look when not all tasks fit, in their own order, and counts all', () => {
    const tasks = Array.from({ length: CAPS.tasks + 500 }, (_, index) =>
      sampleTask(`T_${index}`, { state: index % 1_000 === 999 ? 'failed' : 'done' }),
    );
    const outcome = { ...failedRun(), tasks, rootTaskId: `T_${CAPS.tasks + 499}` };
    const report = buildReport(outcome, sampleProvenance(), sampleFacts());
    assert.equal(report.tasks.length, CAPS.tasks);
    assert.equal(report.tasks.filter(({ state }) => state === 'failed').length, 5);
    assert.equal(report.tasks.at(-1)?.id, outcome.rootTaskId);
    assert.deepEqual(report.counts, { done: CAPS.tasks + 495, failed: 5 });
    assert.deepEqual(report.cut, [{ what: 'tasks', kept: CAPS.tasks, total: CAPS.tasks + 500 }]);
  });

  it('stays below its size with 5,000 tasks of the largest kind', () => {
    const long = 'ü'.repeat(100_000);
    const tasks = Array.from({ length: 5_000 }, (_, index) =>
      sampleTask(`T_${index}`, {
        state: 'failed',
        dependsOn: Array.from({ length: 50 }, (_, other) => `T_${other}`),
        parameters: { a: long, b: long },
        failure: { type: 'ValueError', message: long, traceback: long },
        outputs: [file(`/${index}`)],
      }),
    );
    const json = JSON.stringify(buildReport({ ...failedRun(), tasks }, sampleProvenance(), sampleFacts()));
    assert.ok(json.length < CAPS.reportSize, String(json.length));
    const { tasks: kept, cut } = parsed(json);
    assert.ok(kept.length > 300);
    assert.deepEqual(cut[0], { what: 'tasks', kept: kept.length, total: 5_000 });
  });

  it('says of each dataset what this run did with it', () => {
    const roles = (report: Report) => Object.fromEntries(report.datasets.map(({ name, role }) => [name, role]));
    assert.deepEqual(roles(buildReport(succeededRun(), sampleProvenance(), sampleFacts())), {
      '/data/report.csv': 'written',
      'orders/2026-11-20.parquet': 'written',
      '/data/landing/orders.csv': 'read',
    });
    assert.deepEqual(roles(buildReport(failedRun(), sampleProvenance(), sampleFacts())), {
      'orders/2026-11-20.parquet': 'written',
      '/data/landing/refunds.csv': 'read',
      '/data/landing/orders.csv': 'read',
      '/data/rates.json': 'read',
      '/data/report.csv': 'unwritten',
      '/data/refunds.parquet': 'unwritten',
      '/data/rates-eu.json': 'unwritten',
    });
  });

  it('publishes of a secret and of an identity only the fields it names', () => {
    const secret = { vault: 'v', name: 'n', version: '1', value: 'CANARY' };
    const identity = { kind: 'federated' as const, connection: { id: 'c', token: 'CANARY' }, token: 'CANARY' };
    const facts = { ...sampleFacts(), secrets: [secret], identity };
    const json = JSON.stringify(buildReport(succeededRun(), sampleProvenance(), facts));
    assert.doesNotMatch(json, /CANARY/);
    assert.doesNotMatch(json, /@|Mateo/);
  });

  it('names a file of the checkout as the repository does, on any platform, and no other', () => {
    const place = (file: string, checkout: string) => {
      const finding = { severity: 'error' as const, code: 'ERR_MODULE_IMPORT' as const, message: 'm' };
      const outcome = { ...failedRun(), findings: [{ ...finding, frame: { file, line: 1, function: 'f' } }] };
      const provenance = { ...sampleProvenance(), source: { checkout } };
      return buildReport(outcome, provenance, sampleFacts()).findings[0]?.frame?.file;
    };
    assert.equal(place('/home/vsts/work/1/s/sales/a.py', '/home/vsts/work/1/s'), 'sales/a.py');
    assert.equal(place('D:\\a\\1\\s\\sales\\a.py', 'D:\\a\\1\\s'), 'sales/a.py');
    assert.equal(place('/home/vsts/work/1/sales/a.py', '/home/vsts/work/1/s'), '/home/vsts/work/1/sales/a.py');
    assert.equal(place('/usr/lib/python3/a.py', '/home/vsts/work/1/s'), '/usr/lib/python3/a.py');
  });

  it('keeps the end of a traceback', () => {
    const failure = { type: 'E', message: 'm', traceback: `${'frame\n'.repeat(5_000)}E: m` };
    const outcome = { ...failedRun(), tasks: [sampleTask('T', { state: 'failed', failure })] };
    const traceback = buildReport(outcome, sampleProvenance(), sampleFacts()).tasks[0]?.failure?.traceback ?? '';
    assert.equal(traceback.length, CAPS.traceback);
    assert.match(traceback, /^….*E: m$/s);
  });
});

describe('parseReport', () => {
  it('never throws, whatever it is given', () => {
    fc.assert(
      fc.property(fc.oneof(hostileText, fc.json()), (text) => {
        const result = parseReport(text);
        assert.ok(result.ok || result.problem.startsWith('This report cannot be shown: '));
      }),
    );
  });

  it('refuses a report in which any one field was replaced, with the place', () => {
    const original = buildReport(failedRun(), sampleProvenance('pull-request-azure-repos'), sampleFacts());
    const json = JSON.parse(JSON.stringify(original)) as Record<string, unknown>;
    for (const key of Object.keys(json)) {
      const result = parseReport(JSON.stringify({ ...json, [key]: { not: ['this'] } }));
      if (key !== 'counts') assert.ok(!result.ok && result.problem.includes(key), key);
    }
  });

  it('agrees with the schema on any single change', () => {
    const original = JSON.parse(JSON.stringify(buildReport(failedRun(), sampleProvenance(), sampleFacts())));
    const places = paths(original);
    const strange = fc.constantFrom<unknown>(null, true, -1, 1.5, 'x', 'y'.repeat(10_000), [], {}, [null], { a: 1 });
    fc.assert(
      fc.property(fc.constantFrom(...places), strange, (place, value) => {
        const changed = replaced(original, place, value);
        const result = parseReport(JSON.stringify(changed));
        const dangling = !result.ok && result.problem.includes('names a dataset that is not there');
        assert.equal(result.ok || dangling, validate(changed), `${place.join('.')}: ${JSON.stringify(result)}`);
      }),
      { numRuns: 500 },
    );
  });

  it('ignores what it does not know', () => {
    const report = buildReport(failedRun(), sampleProvenance(), sampleFacts());
    const extended = { ...report, later: 1, run: { ...report.run, later: '<script>' } };
    assert.deepEqual(parsed(JSON.stringify(extended)), JSON.parse(JSON.stringify(report)));
  });

  it('says that a newer version wrote it', () => {
    assert.match(
      problemOf((report) => ({ ...report, version: 2 })),
      /newer version of Plumbline; update the extension/,
    );
  });

  it('refuses what is too long before it reads it', () => {
    const result = parseReport(' '.repeat(CAPS.reportSize + 1));
    assert.ok(!result.ok && result.problem.includes('longer than'));
  });

  it('refuses a dataset that is not there', () => {
    const dangling = problemOf((report) => ({ ...report, datasets: [] }));
    assert.match(dangling, /tasks\[0\] names a dataset that is not there/);
  });
});

type Path = readonly (string | number)[];

function paths(value: unknown, at: Path = []): Path[] {
  if (typeof value !== 'object' || value === null) return [at];
  const below = Array.isArray(value) ? value.map((each, index) => [index, each] as const) : Object.entries(value);
  return [...(at.length > 0 ? [at] : []), ...below.flatMap(([key, each]) => paths(each, [...at, key]))];
}

function replaced(value: unknown, [first, ...rest]: Path, by: unknown): unknown {
  if (first === undefined) return by;
  if (Array.isArray(value)) return value.map((each, index) => (index === first ? replaced(each, rest, by) : each));
  const object = value as Record<string, unknown>;
  return { ...object, [first]: replaced(object[first], rest, by) };
}
