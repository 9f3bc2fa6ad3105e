import type { AirflowApi } from '#engines/airflow/airflow-api.ts';
import type { AirflowCredentials } from '#engines/airflow/airflow-credentials.ts';
import { openAirflow } from '#engines/airflow/open-airflow.ts';
import { createHttp } from '#http/http.ts';
import type { AirflowTruth } from './airflow-truth.ts';

/** A server, or what stands in front of it, as the engine reaches it. */
export function openedAirflow(url: string, user: AirflowTruth): Promise<AirflowApi> {
  const http = createHttp({ skipVerification: false });
  return openAirflow({ url, http, credentials: credentialsOf(user) }, new AbortController().signal);
}

function credentialsOf(user: AirflowTruth): AirflowCredentials {
  return { headers: async () => ({ authorization: await user.authorization() }), refused: () => {} };
}
