import type { Clock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import type { Http } from '#http/http.ts';
import type { AirflowApi } from './airflow-api.ts';
import { AirflowClient } from './airflow-client.ts';
import type { AirflowCredentials } from './airflow-credentials.ts';
import { detectAirflow } from './detect-airflow.ts';
import { V1, V2 } from './dialect.ts';
import { RestAirflow } from './rest-airflow.ts';

export interface OpenAirflowOptions {
  /** Where `/api/v1` or `/api/v2` lies below; may have a path (`https://host/deployment`); slashes at the end do no harm. */
  readonly url: string;
  readonly http: Http;
  readonly credentials: AirflowCredentials;
  readonly log?: Pick<Logger, 'debug' | 'info'> | undefined;
  readonly clock?: Clock | undefined;
}

/**
 * The Airflow at this address, whichever of the supported versions it is: 2.10, 2.11 (REST API v1) and 3.x (v2).
 * @throws {PlumblineError} `ERR_AIRFLOW_UNSUPPORTED`, `ERR_AIRFLOW_REFUSED`, `ERR_AIRFLOW_PROTOCOL`, `ERR_AIRFLOW_UNAVAILABLE`,
 *   `ERR_INPUT_INVALID` for an address that is none; what the credentials throw
 */
export async function openAirflow(options: OpenAirflowOptions, signal: AbortSignal): Promise<AirflowApi> {
  const { http, credentials, log } = options;
  const url = baseOf(options.url);
  const { api, version, features } = await detectAirflow({ url, http, credentials, signal });
  log?.debug(
    `Airflow ${version} at ${url}: REST API ${api}, ${features.wait ? 'runs are waited for' : 'runs are polled'}`,
  );
  const client = new AirflowClient({ url, http, credentials }, api);
  return new RestAirflow(client, api === 'v1' ? V1 : V2, { version, features });
}

/** Without query and fragment, which no base has, and without slashes at the end. */
function baseOf(address: string): string {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const isBase =
    url !== undefined &&
    /^https?:$/.test(url.protocol) &&
    `${url.username}${url.password}${url.search}${url.hash}` === '';
  if (isBase) return `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
  throw new PlumblineError(
    'ERR_INPUT_INVALID',
    'The address of Airflow cannot be used: it is no plain http or https address',
    {
      remedy: "Give the address of Airflow's web server without query or user name, e.g. https://airflow.example.com.",
    },
  );
}
