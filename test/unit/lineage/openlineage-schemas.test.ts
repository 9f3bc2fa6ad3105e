import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describeLineage } from '#lineage/describe-lineage.ts';
import { encodeLineage } from '#lineage/encode-lineage.ts';
import { arbitraryOutcome, arbitraryProvenance, hostileText } from '../../support/arbitrary-run.ts';
import {
  hasOpenLineageSpecs,
  officialEvent,
  officialExamples,
  openLineageSchemas,
} from '../../support/openlineage-schemas.ts';
import { failedRun, sampleProvenance, succeededRun } from '../../support/sample-run.ts';

const options = { runId: 'fabrikam/Shop/4711/load/luigi/daily', workflow: 'DailyReport', producerVersion: '0.1.0' };

describe('OpenLineage 2-0-2', () => {
  before(function () {
    if (hasOpenLineageSpecs) return;
    console.log('      the OpenLineage schemas do not lie beside the checkout (../shared/specs/openlineage)');
    this.skip();
  });

  it('schemas accept every official example, so a refusal below means something', () => {
    const schemas = openLineageSchemas();
    const examples = officialExamples();
    assert.ok(examples.length >= 40, String(examples.length));
    for (const { schema, file, content } of examples) {
      for (const [key, facet] of Object.entries(content as object)) {
        assert.deepEqual(schemas.facetProblems(key, facet), [], `${schema}/${file}`);
      }
    }
    // The official event carries facets that only its page knows, so only core is asked.
    const unknown = schemas.problems(officialEvent()).filter((problem) => !problem.endsWith(': no schema'));
    assert.deepEqual(unknown, []);
  });

  it('schemas refuse a parent without a job and a facet without a schema', () => {
    const schemas = openLineageSchemas();
    const [event] = describeLineage(succeededRun(), sampleProvenance(), options).events;
    assert.ok(event);
    const facet = { _producer: 'urn:x', _schemaURL: 'urn:y', run: { runId: 'no-uuid' } };
    const broken = { ...event, run: { ...event.run, facets: { ...event.run.facets, parent: facet } } };
    assert.match(
      schemas.problems(broken).join('\n'),
      /required property 'job'[\s\S]*uuid|uuid[\s\S]*required property 'job'/,
    );
    const bare = { ...event, run: { ...event.run, facets: { azureDevOps_pipeline: {} } } };
    assert.match(schemas.problems(bare).join('\n'), /_producer/);
  });

  for (const fixture of [
    'build-ci',
    'pull-request-github-fork',
    'release-build-artifact',
    'deployment-job',
    'server',
  ]) {
    for (const outcome of [failedRun(), succeededRun()]) {
      it(`accepts every event of a run that ${outcome.state} (${fixture})`, () => {
        const schemas = openLineageSchemas();
        const { events } = describeLineage(outcome, sampleProvenance(fixture), {
          ...options,
          nominalStart: '2026-11-20',
          owners: [{ name: 'team:data', type: 'OWNER' }],
          sourcePath: 'sales/daily.py',
          withPersonName: true,
        });
        for (const event of events) assert.deepEqual(schemas.problems(JSON.parse(JSON.stringify(event))), []);
      });
    }
  }

  it('accepts every event of any outcome in any place', () => {
    const schemas = openLineageSchemas();
    fc.assert(
      fc.property(arbitraryOutcome, arbitraryProvenance, hostileText, (outcome, provenance, name) => {
        const lineage = describeLineage(outcome, provenance, { runId: name, workflow: name, producerVersion: name });
        for (const line of encodeLineage(lineage).text.trimEnd().split('\n')) {
          assert.deepEqual(schemas.problems(JSON.parse(line)), []);
        }
      }),
      { numRuns: 60 },
    );
  });
});
