import { PlumblineError } from '#core/errors.ts';
import type { RunRef } from '#core/run.ts';
import type { RunName } from './airflow-api.ts';

/** What a DAG run's `RunRef.handle` is: `<dagId>/<dagRunId>`. No DAG id has a slash in it. */
export function handleOf({ dagId, runId }: RunName): string {
  return `${dagId}/${runId}`;
}

/** @throws {PlumblineError} `ERR_RUN_LOST` when it is no handle of a DAG run */
export function runNameOf({ id, handle }: RunRef): RunName {
  const slash = handle.indexOf('/');
  if (slash > 0 && slash < handle.length - 1) return { dagId: handle.slice(0, slash), runId: handle.slice(slash + 1) };
  throw new PlumblineError('ERR_RUN_LOST', `The run ${id} is no run of a DAG: its handle is ${JSON.stringify(handle)}`);
}

export function noSuchRun(airflow: string, { dagId, runId }: RunName): PlumblineError {
  return new PlumblineError('ERR_RUN_LOST', `Airflow at ${airflow} has no run ${runId} of the DAG ${dagId}`, {
    remedy: 'See whether it was deleted, and run the job again to start another.',
  });
}
