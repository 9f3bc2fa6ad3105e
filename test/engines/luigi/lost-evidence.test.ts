import assert from 'node:assert/strict';
import { LuigiScenario } from '../../support/luigi-scenario.ts';

const RUNS = [
  ['lost_evidence', 1],
  ['lost_evidence', 2],
  ['lost_evidence_forkserver', 2],
] as const;

describe('evidence that is lost for a while, on a disk that is full or a file that may not grow', function () {
  this.timeout(60_000);
  let scenario: LuigiScenario;
  beforeEach(async () => {
    scenario = await LuigiScenario.create();
  });
  afterEach(() => scenario.close());

  for (const [module, workers] of RUNS) {
    for (const task of ['LosesEvidence', 'LosesEvidenceBelow']) {
      it(`never leaves a run green without a word (${task} of ${module}, ${workers} workers)`, async () => {
        const { outcome } = await scenario.run(task, { module, workers });
        assert.equal(outcome.state, 'succeeded', outcome.summary);
        const warnings = outcome.findings.filter(({ severity }) => severity === 'warning');
        assert.deepEqual(
          warnings.map(({ code }) => code),
          ['ERR_RUN_UNVERIFIED'],
        );
        assert.match(warnings[0]?.message ?? '', /events? .*could not be (read|written)/);
      });
    }
  }

  it('is not complained of when nothing was lost', async () => {
    const { outcome } = await scenario.run('Good', { workers: 2 });
    assert.deepEqual([outcome.state, outcome.findings], ['succeeded', []]);
  });
});
