import assert from 'node:assert/strict';
import type { AirflowApi, AirflowRun } from '#engines/airflow/airflow-api.ts';
import { openLineageConf } from '#lineage/airflow-naming.ts';
import { stepRunName } from '#lineage/describe-lineage.ts';
import { dagRunLineage } from '#steps/run-airflow/dag-run-lineage.ts';
import type { RunAirflowInputs } from '#steps/run-airflow/inputs.ts';
import { recordingHost } from '../../../support/recording-host.ts';
import { sampleProvenance } from '../../../support/sample-run.ts';

const REF = { id: 'plumbline-1', engine: 'airflow', handle: 'daily/plumbline-1' };
const RUN: AirflowRun = {
  dagId: 'daily',
  runId: 'plumbline-1',
  state: 'success',
  conf: {},
  note: 'Azure Pipelines: …',
  logicalDate: undefined,
  runAfter: '2026-11-20T03:00:00.123456Z',
  queuedAt: undefined,
  startedAt: undefined,
  endedAt: undefined,
  bundleVersion: undefined,
};
/** The provider's id of a run of `daily` in the namespace `prod` at that instant, made by openlineage-python 1.52. */
const ID = '01a1f6e5-87fb-744a-9e2c-04776ffd7a2a';

type Inputs = Pick<RunAirflowInputs, 'lineage' | 'lineageNamespace' | 'calledBy'>;

function described(run: AirflowRun | Error | undefined, more: Partial<Inputs> = {}, resumed = false) {
  const api = { run: async () => (run instanceof Error ? Promise.reject(run) : run) };
  const inputs: Inputs = { lineage: 'run', lineageNamespace: 'prod', calledBy: undefined, ...more };
  const around = {
    resumed,
    provenance: sampleProvenance(),
    host: recordingHost({}),
    signal: new AbortController().signal,
  };
  return dagRunLineage(api as Pick<AirflowApi, 'run'> as AirflowApi, REF, inputs as RunAirflowInputs, around);
}

describe('how a DAG run is told', () => {
  it("is under the provider's names, by run_after where it has no logical date", async () => {
    assert.equal((await described(RUN))?.naming?.workflow.runId, ID);
    const dated = { ...RUN, logicalDate: '2026-11-20T03:00:00.123456+00:00', runAfter: '2026-11-21T00:00:00Z' };
    const { naming, nominalStart } = (await described(dated)) ?? {};
    assert.deepEqual([naming?.workflow.runId, nominalStart], [ID, dated.logicalDate]);
  });

  it('is below the step that started it, though another attempt follows it', async () => {
    const first = { runId: 'f', job: { namespace: 'n', name: 'first attempt' } };
    const run = { ...RUN, conf: { openlineage: openLineageConf(first, first) } };
    assert.deepEqual((await described(run))?.naming?.parent, first);
    assert.deepEqual((await described(RUN))?.naming?.parent, stepRunName(sampleProvenance(), 'plumbline-1'));
  });

  it('is under our own names when it was cleared, cannot be read, or is gone', async () => {
    const cleared = { ...RUN, note: 'Azure Pipelines: …\nplumbline: resumed 2.1' };
    for (const run of [cleared, new Error('away'), undefined, { ...RUN, runAfter: undefined }]) {
      const description = await described(run);
      assert.ok(description);
      assert.equal(description.naming, undefined);
    }
    const stoppedAgain = { ...RUN, note: 'Azure Pipelines: …\nplumbline: cancelled' };
    assert.equal((await described(stoppedAgain, {}, true))?.naming, undefined);
  });

  it('is not told at all with lineage: none', async () => {
    assert.equal(await described(new Error('nobody asks'), { lineage: 'none' }), undefined);
  });
});
