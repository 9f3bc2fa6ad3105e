import { asPlumblineError } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import type { AirflowApi, AirflowRun } from './airflow-api.ts';
import { stopNoted } from './stop-note.ts';

interface Stopping {
  readonly api: Pick<AirflowApi, 'setState'>;
  readonly signal: AbortSignal;
  readonly log?: Pick<Logger, 'debug'> | undefined;
}

/**
 * A run with a teardown ends in success after we stopped it: it is stopped once more, so that it does not look like one.
 * @returns the run as it stands then; as it was when it is none of these, or when that cannot be done
 */
export async function stopAgain(run: AirflowRun, { api, signal, log }: Stopping): Promise<AirflowRun> {
  if (run.state !== 'success' || stopNoted(run.note) === undefined) return run;
  try {
    const after = await api.setState(run, 'failed', signal);
    return { ...after, note: after.note ?? run.note };
  } catch (thrown) {
    signal.throwIfAborted();
    log?.debug(`The run ${run.runId} stays a success in Airflow: ${asPlumblineError(thrown).message}`);
    return run;
  }
}
