import assert from 'node:assert/strict';
import { buildReport } from '#report/build-report.ts';
import { renderSummary } from '#report/render-summary.ts';
import type { GatewayFacts } from '#report/schema.ts';
import { sampleFacts } from '../../support/sample-report.ts';
import { sampleProvenance, succeededRun } from '../../support/sample-run.ts';

const GATEWAY: GatewayFacts = {
  url: 'https://plumbline.example.com',
  runId: '01930000-0000-7000-8000-000000000001',
  authentication: 'pipeline',
  role: 'sales-report',
  binding: 'retail-pipeline-main',
  policy: 'f'.repeat(64),
  mode: 'enforce',
  isolation: 'user',
  starts: 1,
  code: { kind: 'wheel', digest: 'sha256:1234', commit: '0123456789abcdef', commitProof: 'marker' },
};

const summary = (gateway: GatewayFacts | undefined, more = {}) =>
  renderSummary(buildReport(succeededRun(), sampleProvenance(), { ...sampleFacts(), gateway, ...more }));

describe('the gateway in the summary', () => {
  it('says where, under which role, rule, policy and code', () => {
    const text = summary(GATEWAY);
    for (const fact of ['sales-report', 'retail-pipeline-main', 'f'.repeat(64), 'sha256:1234', '0123456789 (marker)']) {
      assert.ok(text.replaceAll('\\', '').includes(fact), fact);
    }
    assert.doesNotMatch(text, /⚠️ none|mode enforce|Starts of a worker/);
  });

  it('warns of workers that were not kept apart, of rules that only report and of further starts', () => {
    const text = summary({ ...GATEWAY, isolation: 'none', mode: 'report', starts: 2 });
    for (const words of [/⚠️ none: the worker ran as the gateway itself/, /mode report/, /Starts of a worker[^\n]*2/]) {
      assert.match(text, words);
    }
  });

  it('says how the pipeline signed in where there is no identity of a connection', () => {
    assert.match(summary(GATEWAY, { identity: undefined }), /signed in by its own token; no secret is stored/);
  });

  it('lets a hostile gateway write no markup, link or command', () => {
    const evil = '<img src=x onerror=alert(1)> [a](http://evil) ##vso[task.complete]| # |\n# head';
    const text = summary({ ...GATEWAY, role: evil, binding: evil, isolation: evil, mode: evil, code: { kind: evil } });
    assert.doesNotMatch(text, /<img|\]\(http:\/\/evil|##vso|^# head/m);
  });

  it('is not there for a run on an agent', () => {
    assert.doesNotMatch(summary(undefined), /### Gateway/);
  });
});
