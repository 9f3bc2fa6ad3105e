import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { buildReport } from '#report/build-report.ts';
import { parseReport } from '#report/parse-report.ts';
import { renderSummary } from '#report/render-summary.ts';
import { arbitraryOutcome, arbitraryProvenance, hostileText } from '../../support/arbitrary-run.ts';
import { goldenReports, sampleFacts } from '../../support/sample-report.ts';
import { failedRun, sampleProvenance, sampleTask, succeededRun } from '../../support/sample-run.ts';
import { checkSummaryShape } from '../../support/summary-shape.ts';

function fixture(name: string): string {
  return readFileSync(new URL(`../../fixtures/report/${name}`, import.meta.url), 'utf8');
}

describe('renderSummary', () => {
  for (const [name, report] of Object.entries(goldenReports())) {
    it(`gives report and summary of a run that ${name} as recorded`, () => {
      const parsed = parseReport(fixture(`${name}.json`));
      assert.ok(parsed.ok);
      assert.deepEqual(JSON.parse(JSON.stringify(report)), parsed.report);
      assert.equal(renderSummary(parsed.report), fixture(`${name}.md`));
    });
  }

  it('keeps its shape for any run: known blocks, whole tables, closed fences', () => {
    fc.assert(
      fc.property(arbitraryOutcome, arbitraryProvenance, hostileText, (outcome, provenance, text) => {
        const identity = {
          kind: 'federated' as const,
          connection: { id: text, name: text },
          subject: text,
          issuer: text,
        };
        const secrets = [{ vault: text, name: text, version: text, target: text }];
        const texts = { runId: text, workflow: text, producerVersion: text, engineUrl: text, sharedId: text };
        const facts = { ...sampleFacts(), ...texts, identity, secrets };
        checkSummaryShape(renderSummary(buildReport(outcome, provenance, facts)));
      }),
      { numRuns: 200 },
    );
  });

  it('says plainly what had to run', () => {
    const states = (...given: readonly ('done' | 'complete' | 'failed')[]) => {
      const tasks = given.map((state, index) => sampleTask(`T_${index}`, { state }));
      const run = given.includes('failed') ? failedRun() : succeededRun();
      return renderSummary(buildReport({ ...run, tasks }, sampleProvenance(), sampleFacts())).split('\n')[4];
    };
    assert.equal(states('complete', 'complete'), '**Nothing had to run: 2 tasks were already complete.**');
    assert.equal(states('done', 'done'), '**2 of 2 tasks had to run: 2 done.**');
    assert.equal(
      states('done', 'complete', 'failed'),
      '**2 of 3 tasks had to run: 1 failed, 1 done. 1 task was already complete.**',
    );
  });

  it('is never green for a run whose end is unknown', () => {
    for (const state of ['lost', 'deadline', 'cancelled', 'failed'] as const) {
      const summary = renderSummary(buildReport({ ...succeededRun(), state }, sampleProvenance(), sampleFacts()));
      assert.doesNotMatch(summary.split('\n')[0] ?? '', /✅|succeeded/);
    }
  });

  it('is not simply green for a success with failed tasks inside', () => {
    const run = succeededRun();
    const hidden = { severity: 'warning', code: 'ERR_RUN_TASK_FAILED', message: 'breaks failed' } as const;
    const summary = renderSummary(buildReport({ ...run, findings: [hidden] }, sampleProvenance(), sampleFacts()));
    assert.match(summary.split('\n')[0] ?? '', /⚠️ .* succeeded with failed tasks/);
  });

  it('stays readable for 5,000 tasks and 200 failures', () => {
    const tasks = Array.from({ length: 5_000 }, (_, index) =>
      sampleTask(`T_${index}`, {
        state: index < 200 ? 'failed' : 'done',
        family: `Family${index % 300}`,
        failure:
          index < 200 ? { type: 'E', message: 'x|'.repeat(5_000), traceback: 'line\n'.repeat(5_000) } : undefined,
      }),
    );
    const summary = renderSummary(buildReport({ ...failedRun(), tasks }, sampleProvenance(), sampleFacts()));
    assert.ok(summary.length < 60_000, String(summary.length));
    assert.match(summary, /… and 190 more failed tasks/);
    assert.match(summary, /… 240 more families/);
    checkSummaryShape(summary);
  });

  it('shows a chain of 50 tasks and a cycle as a tree, each task once', () => {
    const chain = Array.from({ length: 50 }, (_, index) =>
      sampleTask(`C_${index}`, { dependsOn: [`C_${(index + 1) % 50}`] }),
    );
    const summary = renderSummary(
      buildReport({ ...succeededRun(), tasks: chain, rootTaskId: 'C_0' }, sampleProvenance(), sampleFacts()),
    );
    assert.equal(summary.match(/ ✅ done \|/g)?.length, 50);
  });
});
