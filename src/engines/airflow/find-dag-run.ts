import { PlumblineError } from '#core/errors.ts';
import type { CancelReason } from '../engine.ts';
import type { AirflowRun } from './airflow-api.ts';
import type { RunMarker } from './airflow-request.ts';
import type { DagPlace } from './dag-place.ts';
import { readMarker } from './run-marker.ts';
import { resumedBy, stopNoted } from './stop-note.ts';

/** A run that we started, now or before. */
export interface FoundDagRun {
  readonly run: AirflowRun;
  readonly marker: RunMarker;
  /** The attempt that started it, or that made it go on. */
  readonly attempt: string;
  /** We have stopped it, whatever its state says. */
  readonly stop: CancelReason | undefined;
}

/**
 * The run of this id, if there is one and it is ours.
 * @throws {PlumblineError} `ERR_RUN_EXISTS` when a run of this id was started by somebody else
 */
export async function findDagRun(
  { api, dagId }: DagPlace,
  id: string,
  signal: AbortSignal,
): Promise<FoundDagRun | undefined> {
  const run = await api.run(dagId, id, signal);
  return run && ownRun(run, api.url);
}

/** @throws {PlumblineError} `ERR_RUN_EXISTS` when its conf has not our marker for its id */
export function ownRun(run: AirflowRun, airflow: string): FoundDagRun {
  const marker = readMarker(run.conf);
  if (marker?.key !== run.runId) throw foreign(run, airflow);
  return { run, marker, attempt: resumedBy(run.note) ?? marker.attempt, stop: stopNoted(run.note) };
}

function foreign({ runId, dagId, state }: AirflowRun, airflow: string): PlumblineError {
  return new PlumblineError(
    'ERR_RUN_EXISTS',
    `The run ${runId} of the DAG ${dagId} at ${airflow} was not taken over: it exists, and nothing in its conf says that this step started it`,
    {
      remedy:
        'See in Airflow who started it; delete it there if it is not needed, or set onExistingRun to new in a run of the pipeline of its own.',
      details: { id: runId, dagId, state },
    },
  );
}
