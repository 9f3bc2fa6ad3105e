import assert from 'node:assert/strict';
import fc from 'fast-check';
import { PlumblineError } from '#core/errors.ts';
import type { RunRecords } from '#core/run-records.ts';
import { publishReport } from '#publish/publish-report.ts';
import { buildReport } from '#report/build-report.ts';
import { parseReport } from '#report/parse-report.ts';
import { renderSummary } from '#report/render-summary.ts';
import type { Report } from '#report/schema.ts';
import { arbitraryOutcome, arbitraryProvenance } from '../../support/arbitrary-run.ts';
import { sampleFacts } from '../../support/sample-report.ts';
import { sampleProvenance, succeededRun } from '../../support/sample-run.ts';

/** A pipeline run in memory: replaces what has the same name, refuses what Azure DevOps refuses. */
class PipelineRun implements RunRecords {
  readonly attachments = new Map<string, string>();
  readonly tags = new Set<string>();
  readonly values = new Map<string, string>();
  readonly #broken: ReadonlyMap<keyof RunRecords, unknown>;

  constructor(broken: Partial<Record<keyof RunRecords, unknown>> = {}) {
    this.#broken = new Map(Object.entries(broken) as [keyof RunRecords, unknown][]);
  }

  async attach(type: string, name: string, bytes: Uint8Array): Promise<void> {
    this.#check('attach');
    for (const text of [type, name]) assert.match(text, /^[^"<>|:*?\\/\p{C}]+$/u);
    this.attachments.set(`${type}/${name}`, new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  }

  async summary(title: string, bytes: Uint8Array): Promise<void> {
    this.#check('summary');
    await new PipelineRun().attach('Distributedtask.Core.Summary', title, bytes);
    this.attachments.set(`summary/${title}`, new TextDecoder().decode(bytes));
  }

  async tag(tags: readonly string[]): Promise<void> {
    this.#check('tag');
    for (const tag of tags) this.tags.add(tag);
  }

  async properties(values: Readonly<Record<string, string>>): Promise<void> {
    this.#check('properties');
    for (const [name, value] of Object.entries(values)) this.values.set(name, value);
  }

  #check(method: keyof RunRecords): void {
    if (this.#broken.has(method)) throw this.#broken.get(method);
  }
}

function publication(fixture = 'build-ci') {
  const report = buildReport(succeededRun(), sampleProvenance(fixture), sampleFacts());
  return { report, summary: renderSummary(report), lineage: '{"eventType":"START"}\n' };
}

describe('publishReport', () => {
  it('leaves report, summary, lineage, tags and properties on the run', async () => {
    const run = new PipelineRun();
    const given = publication();
    assert.deepEqual(await publishReport(given, run), []);
    assert.deepEqual([...run.attachments.keys()].sort(), [
      'plumbline-lineage/luigi.daily.jsonl',
      'plumbline-report/luigi.daily.json',
      'summary/DailyReport (daily)',
    ]);
    const parsed = parseReport(run.attachments.get('plumbline-report/luigi.daily.json') ?? '');
    assert.deepEqual(parsed, { ok: true, report: JSON.parse(JSON.stringify(given.report)) });
    assert.deepEqual([...run.tags], ['luigi', 'plumbline:succeeded']);
    assert.deepEqual(Object.fromEntries(run.values), {
      'Plumbline.load.luigi.daily.runId': 'fabrikam/Shop/4711/load/luigi/daily',
      'Plumbline.load.luigi.daily.state': 'succeeded',
      'Plumbline.load.luigi.daily.verified': 'confirmed',
      'Plumbline.load.luigi.daily.rootTask': 'DailyReport_2026_11_20_aa',
      'Plumbline.load.luigi.daily.tasks': '3',
      'Plumbline.load.luigi.daily.lineageRunId': '019a9f2b-1e08-7b22-9d5e-6a3a1a8a0002',
    });
  });

  it('changes nothing when it is done again', async () => {
    const run = new PipelineRun();
    await publishReport(publication(), run);
    const before = structuredClone([run.attachments, run.tags, run.values]);
    await publishReport(publication(), run);
    assert.deepEqual([run.attachments, run.tags, run.values], before);
  });

  it('names a run of another system, and the id that both sides share, in its tags', async () => {
    const tagsOf = async (sharedId: string) => {
      const run = new PipelineRun();
      const outcome = { ...succeededRun(), engine: { name: 'airflow', adapterVersion: '1' } };
      const facts = { ...sampleFacts(), runId: 'plumbline-1', engineUrl: 'https://airflow.example.com/x', sharedId };
      const report = buildReport(outcome, sampleProvenance(), facts);
      await publishReport({ report, summary: '' }, run);
      return [...run.tags];
    };
    const dagRun = ['airflow', 'plumbline:succeeded', 'airflow:plumbline-1'];
    assert.deepEqual(await tagsOf('3f2a'), [...dagRun, 'plumbline-3f2a']);
    assert.deepEqual(await tagsOf('plumbline-1'), [...dagRun, 'plumbline-1']);
  });

  it('publishes the rest when one part fails, and tells each failure', async () => {
    const refused = new PlumblineError('ERR_HTTP_STATUS', 'PATCH of the properties was refused: HTTP 403', {
      remedy: 'Allow it.',
    });
    const run = new PipelineRun({ properties: refused, tag: 'a text' });
    const findings = await publishReport(publication(), run);
    assert.equal(run.attachments.size, 3);
    assert.deepEqual(
      findings.map(({ severity, code, message, remedy }) => ({ severity, code, message, remedy })),
      [
        {
          severity: 'warning',
          code: 'ERR_PUBLISH_FAILED',
          message: "The tags could not be published on pipeline run '20261120.1': a text",
          remedy:
            "See whether the job's build service identity may update builds and whether Azure DevOps is reachable.",
        },
        {
          severity: 'warning',
          code: 'ERR_PUBLISH_FAILED',
          message:
            "The properties could not be published on pipeline run '20261120.1': PATCH of the properties was refused: HTTP 403",
          remedy: 'Allow it.',
        },
      ],
    );
  });

  it('also tells a failure of a port that throws at once', async () => {
    const run = new PipelineRun();
    const broken: RunRecords = {
      ...run,
      attach: () => {
        throw new Error('no connection');
      },
      summary: (...given) => run.summary(...given),
      tag: (...given) => run.tag(...given),
      properties: (...given) => run.properties(...given),
    };
    const findings = await publishReport(publication(), broken);
    assert.equal(findings.length, 2);
    assert.deepEqual([...run.tags], ['luigi', 'plumbline:succeeded']);
  });

  it('does not mark the build of an artifact for a classic release', async () => {
    const run = new PipelineRun();
    await publishReport(publication('release-build-artifact'), run);
    assert.equal(run.attachments.size, 3);
    assert.equal(run.tags.size + run.values.size, 0);
  });

  it('attaches no lineage that is not asked for', async () => {
    const run = new PipelineRun();
    await publishReport({ ...publication(), lineage: undefined }, run);
    assert.equal(run.attachments.size, 2);
  });

  it('has a name that the agent accepts for any step', async () => {
    await fc.assert(
      fc.asyncProperty(arbitraryOutcome, arbitraryProvenance, async (outcome, provenance) => {
        const report: Report = buildReport(outcome, provenance, sampleFacts());
        const run = new PipelineRun();
        assert.deepEqual(await publishReport({ report, summary: renderSummary(report) }, run), []);
        assert.equal(run.attachments.size, 2);
      }),
    );
  });
});
