import type { Provenance } from '#core/provenance.ts';
import type { AirflowRunRequest } from '#engines/airflow/airflow-request.ts';
import { openLineageConf } from '#lineage/airflow-naming.ts';
import { stepRunName } from '#lineage/describe-lineage.ts';
import { attemptOf } from '#run/run-key.ts';
import { runsAbove } from '../called-by-input.ts';
import { claimedFacts } from '../claimed-facts.ts';
import type { RunAirflowInputs } from './inputs.ts';
import { pipelineLine, runNote } from './run-note.ts';

/** For how long a DAG version that is not parsed yet is waited for: Airflow looks for changes every five minutes by default. */
const VERSION_WITHIN_MS = 600_000;

export interface RunNames {
  /** The run key. */
  readonly key: string;
  readonly sharedId: string;
}

/** The DAG run to start. Airflow shows its conf to whoever may see the DAG, and OpenLineage copies it: no secret, no name of a person. */
export function runRequest(inputs: RunAirflowInputs, provenance: Provenance, names: RunNames): AirflowRunRequest {
  const { conf, logicalDate, dagVersion, unpause, note } = inputs;
  return {
    id: names.key,
    attempt: attemptOf(provenance),
    conf,
    logicalDate,
    note: runNote(note, pipelineLine(provenance, names.sharedId)),
    origin: originOf(provenance, names),
    openLineage: inputs.lineage === 'none' ? undefined : lineageAbove(inputs, provenance, names),
    ...(dagVersion !== undefined && { dagVersion: { version: dagVersion, withinMs: VERSION_WITHIN_MS } }),
    unpause,
  };
}

function originOf(provenance: Provenance, { sharedId }: RunNames): Readonly<Record<string, string>> {
  const { requestedFor: _, ...facts } = claimedFacts(provenance);
  return { sharedId, ...facts };
}

/** The step is the run's parent; the root is whatever called the pipeline, else the step itself. */
function lineageAbove({ calledBy }: RunAirflowInputs, provenance: Provenance, { key }: RunNames) {
  const step = stepRunName(provenance, key);
  return openLineageConf(step, runsAbove(calledBy)?.root ?? step);
}
