import type { Host } from '#core/host.ts';
import type { Provenance } from '#core/provenance.ts';
import type { RunRef } from '#core/run.ts';
import type { AirflowApi, AirflowRun } from '#engines/airflow/airflow-api.ts';
import { runNameOf } from '#engines/airflow/run-name.ts';
import { resumedBy } from '#engines/airflow/stop-note.ts';
import { airflowNaming } from '#lineage/airflow-naming.ts';
import { stepRunName } from '#lineage/describe-lineage.ts';
import type { EngineNaming } from '#lineage/engine-naming.ts';
import { runsAbove } from '../called-by-input.ts';
import type { Delivery } from '../deliver.ts';
import type { RunAirflowInputs } from './inputs.ts';

const ASK_MS = 15_000;
/** A cancelled step is killed soon. */
const CANCELLED_ASK_MS = 1_000;

interface Surroundings {
  /** This step made the run go on: then its note may say by now that it was stopped. */
  readonly resumed: boolean;
  readonly provenance: Provenance;
  readonly host: Host;
  readonly signal: AbortSignal;
}

/**
 * How the run is told: under the names that Airflow's own provider gives it, where they are certain. They are not when the run
 * cannot be read any more, and when it was cleared, which the provider counts and the API does not say; then under ours.
 */
export async function dagRunLineage(
  api: AirflowApi,
  ref: RunRef,
  inputs: RunAirflowInputs,
  around: Surroundings,
): Promise<Delivery['describe']> {
  const calledBy = runsAbove(inputs.calledBy);
  if (inputs.lineage === 'none') return undefined;
  const run = await readRun(api, ref, around);
  return {
    calledBy,
    naming: run && namingOf(run, ref, inputs, around),
    nominalStart: run?.logicalDate,
  };
}

async function readRun(api: AirflowApi, ref: RunRef, { host, signal }: Surroundings): Promise<AirflowRun | undefined> {
  const name = runNameOf(ref);
  try {
    return await api.run(name.dagId, name.runId, AbortSignal.timeout(signal.aborted ? CANCELLED_ASK_MS : ASK_MS));
  } catch (thrown) {
    host.log.debug(`Lineage has our own names of the run, because it could not be read: ${thrown}`);
    return undefined;
  }
}

function namingOf(
  run: AirflowRun,
  ref: RunRef,
  { lineageNamespace: namespace, calledBy }: RunAirflowInputs,
  { provenance, resumed }: Surroundings,
): EngineNaming | undefined {
  const instant = run.logicalDate ?? run.runAfter;
  if (instant === undefined || resumed || resumedBy(run.note) !== undefined) return undefined;
  const parent = stepRunName(provenance, ref.id);
  const { dagId, state, conf } = run;
  return airflowNaming(
    { namespace, dagId, instant, state, conf },
    { parent, root: runsAbove(calledBy)?.root ?? parent },
  );
}
