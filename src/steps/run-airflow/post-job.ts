import type { Host } from '#core/host.ts';
import type { Step } from '#core/step.ts';
import type { AirflowEngine } from '#engines/airflow/airflow-engine.ts';
import { InputReader } from '../input-reader.ts';
import { RemoteRunMarks } from '../remote-run-marks.ts';
import { stopRemoteRun } from '../stop-remote-run.ts';
import { readAccess } from './access-inputs.ts';
import { openDag } from './open-dag.ts';

/**
 * The end of the job: stops the DAG run of a step that was cancelled and killed before it could (a container never sees the
 * agent's signal). A run whose step was killed otherwise goes on: the next attempt takes it over.
 */
export const stopLeftRun: Step = async (host, signal) => {
  const left = RemoteRunMarks.toStop(host);
  if (left === undefined) return { result: 'Succeeded', message: 'No run was left to stop.' };
  return stopRemoteRun(left, 'in Airflow', () => openLeft(host, signal), host, signal);
};

async function openLeft(host: Host, signal: AbortSignal): Promise<AirflowEngine> {
  const reader = new InputReader(host);
  const access = readAccess(reader, host);
  reader.finish();
  if (access === undefined) throw new TypeError('The reader let an input pass that is missing.');
  return (await openDag(access, {}, host, signal)).engine;
}
