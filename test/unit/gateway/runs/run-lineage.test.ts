import assert from 'node:assert/strict';
import fc from 'fast-check';
import { newRecord } from '#gateway/runs/new-run.ts';
import { lineageOf, provenanceOf } from '#gateway/runs/run-lineage.ts';
import type { RunRecord } from '#gateway/runs/run-record.ts';
import { arbitraryOutcome, hostileText } from '../../../support/arbitrary-run.ts';
import { callerOf, specificationOf } from '../../../support/gateway/runs-fixture.ts';
import { hasOpenLineageSpecs, openLineageSchemas } from '../../../support/openlineage-schemas.ts';

const CLAIMED = {
  organization: 'fabrikam',
  project: 'Shop',
  projectId: 'claimed-project',
  runId: '99',
  run: '20261121.1',
  runUrl: 'https://dev.azure.com/fabrikam/Shop/_build/results?buildId=7',
  repository: 'https://dev.azure.com/fabrikam/Shop/_git/data',
  commit: 'e'.repeat(40),
  branch: 'main',
  requestedForId: 'somebody',
};

function recordOf(more: Partial<RunRecord> = {}, claimed: Readonly<Record<string, string>> = CLAIMED): RunRecord {
  const record = newRecord({
    id: '01900000-0000-7000-8000-000000000000',
    key: 'key',
    caller: callerOf(),
    specification: specificationOf({ claimed }),
    fingerprint: 'f',
    createdAt: 1,
    decision: { policy: 'a'.repeat(64), mode: 'enforce', wouldAllow: true },
    isolation: 'none',
  });
  return { ...record, ...more };
}

describe('lineage of a run at a gateway', () => {
  it('takes what a token signs before what the caller claims', () => {
    const { project, run, source, organizationUrl, requestedFor } = provenanceOf(recordOf());
    assert.deepEqual(project, { id: 'p', name: 'Shop' });
    assert.deepEqual([run.id, run.name], ['7', '20261121.1']);
    assert.deepEqual([source.commit, source.branch, source.provider], ['c'.repeat(40), 'main', 'TfsGit']);
    assert.deepEqual([organizationUrl, requestedFor], ['https://dev.azure.com/fabrikam', { id: 'somebody' }]);
  });

  it("knows the organization from the subject of the pipeline's own token, alone or beside another one", () => {
    const entra = { issuer: 'entra', iss: 'https://login.microsoftonline.com/t/v2.0', subject: 'o', signed: {} };
    const pipelines = {
      issuer: 'pipelines',
      iss: 'https://vstoken.dev.azure.com/o',
      subject: 'p://contoso/Retail/sales',
    };
    for (const caller of [pipelines, { ...entra, runFacts: pipelines }]) {
      const { organization, organizationUrl } = provenanceOf(recordOf({ caller }, {}));
      assert.deepEqual([organization, organizationUrl], ['contoso', 'https://dev.azure.com/contoso']);
      assert.equal(provenanceOf(recordOf({ caller })).organization, 'contoso', 'signed before claimed');
    }
    assert.equal(provenanceOf(recordOf({ caller: entra })).organization, 'fabrikam');
  });

  it('names the commit of the code that ran, not that of the pipeline that asked for it', () => {
    const code = { kind: 'installed', commit: 'd'.repeat(40), commitProof: 'marker' } as const;
    assert.equal(provenanceOf(recordOf({ code })).source.commit, 'd'.repeat(40));
  });

  it('is what OpenLineage allows, whatever is claimed and whatever the run was (needs ../shared/specs)', function () {
    if (!hasOpenLineageSpecs) return this.skip();
    const schemas = openLineageSchemas();
    const names = fc.constantFrom(...Object.keys(CLAIMED), 'stage', 'job', 'step', 'tag', 'pullRequest', '__proto__');
    fc.assert(
      fc.property(arbitraryOutcome, fc.dictionary(names, hostileText, { maxKeys: 8 }), (outcome, claimed) => {
        const record = recordOf({ code: { kind: 'wheel', digest: 'sha256:1' } }, claimed);
        const { tasks, ...rest } = outcome;
        const { events } = lineageOf(record, rest, tasks);
        const [first] = JSON.parse(JSON.stringify(events));
        assert.deepEqual(schemas.facetProblems('plumbline_gateway', first.run.facets.plumbline_gateway), []);
        assert.ok(events.length >= 4);
      }),
      { numRuns: 50 },
    );
  });
});
