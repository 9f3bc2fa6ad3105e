import type { Host } from '#core/host.ts';
import type { AirflowApi } from '#engines/airflow/airflow-api.ts';
import { type AirflowEngine, airflowEngine } from '#engines/airflow/airflow-engine.ts';
import { openAirflow } from '#engines/airflow/open-airflow.ts';
import { createHttp } from '#http/http.ts';
import type { AccessInputs } from './access-inputs.ts';
import { type SignIn, signIn } from './sign-in.ts';

/** A DAG of an Airflow that answers, and who we are there. */
export interface OpenDag {
  readonly api: AirflowApi;
  readonly engine: AirflowEngine;
  readonly signedIn: SignIn;
}

export interface OpenDagOptions {
  readonly queuedMs?: number;
  readonly failOnTaskFailure?: boolean;
}

/** @throws {PlumblineError} what signing in and `openAirflow` throw */
export async function openDag(
  access: AccessInputs,
  options: OpenDagOptions,
  host: Host,
  signal: AbortSignal,
): Promise<OpenDag> {
  const { log } = host;
  const signedIn = signIn(access, host);
  const { url, credentials } = signedIn.identity;
  const api = await openAirflow({ url, http: createHttp(host.network, { log }), credentials, log }, signal);
  const engine = airflowEngine({ api, dagId: access.dagId, output: log.output.stdout, log, ...options });
  return { api, engine, signedIn };
}
