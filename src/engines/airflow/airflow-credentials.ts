import type { ApiVersion } from './airflow-api.ts';

/** How a caller proves to an Airflow who it is. */
export interface AirflowCredentials {
  /**
   * Headers for one request, with a credential that lives long enough for it.
   * @throws {PlumblineError} `ERR_AIRFLOW_REFUSED`, `ERR_IDENTITY_*`, `ERR_GATEWAY_*`, `ERR_HTTP_*`
   */
  headers(api: ApiVersion, signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
  /** The server did not accept it: the next headers are made from a new one. */
  refused(): void;
}
