import { PlumblineError } from '#core/errors.ts';
import type { Http } from '#http/http.ts';
import type { HttpResponse } from '#http/http-response.ts';
import type { AirflowFeatures, ApiVersion } from './airflow-api.ts';
import type { AirflowCredentials } from './airflow-credentials.ts';
import { airflowAway, airflowRefusal, isRedirect, loginAsked, noAirflow } from './airflow-problem.ts';
import type { KnownAirflow } from './rest-airflow.ts';

export interface Detection {
  readonly url: string;
  readonly http: Http;
  readonly credentials: AirflowCredentials;
  readonly signal: AbortSignal;
}

const WHAT = 'tell its version';
const VERSION = /^(\d{1,3})\.(\d{1,4})(?:[.+\-a-z].{0,60})?$/;
const OPENAPI_MS = 10_000;
const WAIT_PATH = '/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/wait';
const SUPPORTED = 'Plumbline supports Airflow 2.10, 2.11 and 3.x.';

/**
 * Which Airflow answers there. Both versions tell theirs without a sign-in; what stands in front of them may ask for one, and then the
 * credentials are shown to it.
 * @throws {PlumblineError} `ERR_AIRFLOW_UNSUPPORTED`, `ERR_AIRFLOW_REFUSED`, `ERR_AIRFLOW_PROTOCOL`, `ERR_AIRFLOW_UNAVAILABLE`
 */
export async function detectAirflow(detection: Detection): Promise<KnownAirflow & { readonly api: ApiVersion }> {
  const newer = await versionOf(detection, 'v2');
  if (newer !== undefined) return { api: 'v2', version: newer, features: await featuresOf(detection, newer) };
  const older = await versionOf(detection, 'v1');
  if (older !== undefined) return { api: 'v1', version: older, features: { wait: false, dagVersions: false } };
  throw noAirflow(callTo(detection), "neither '/api/v2/version' nor '/api/v1/version' is there", { status: 404 });
}

/** `undefined`: there is no such API. */
async function versionOf(detection: Detection, api: ApiVersion): Promise<string | undefined> {
  const bare = await ask(detection, `/api/${api}/version`, {});
  const answer = needsSignIn(bare) ? await ask(detection, `/api/${api}/version`, await signedIn(detection, api)) : bare;
  if (answer.status === 404) return undefined;
  if (isRedirect(answer.status)) throw loginAsked(callTo(detection), { status: answer.status });
  if (!answer.ok) throw airflowRefusal(callTo(detection), answer);
  return supported(detection, api, versionIn(detection, answer));
}

function needsSignIn({ status }: HttpResponse): boolean {
  return isRedirect(status) || status === 401 || status === 403;
}

function signedIn({ credentials, signal }: Detection, api: ApiVersion): Promise<Readonly<Record<string, string>>> {
  return credentials.headers(api, signal);
}

function versionIn(detection: Detection, answer: HttpResponse): string {
  let version: unknown;
  try {
    version = (answer.json() as { version?: unknown } | null)?.version;
  } catch {
    throw noAirflow(callTo(detection), 'its answer is no JSON', { status: answer.status });
  }
  if (typeof version === 'string' && VERSION.test(version)) return version;
  throw noAirflow(callTo(detection), 'its answer has no version', { status: answer.status });
}

function supported(detection: Detection, api: ApiVersion, version: string): string {
  const [, major, minor] = VERSION.exec(version) ?? [];
  const isKnown = api === 'v2' ? Number(major) === 3 : Number(major) === 2 && Number(minor) >= 10;
  if (isKnown) return version;
  throw new PlumblineError('ERR_AIRFLOW_UNSUPPORTED', `Airflow at ${detection.url} cannot be used: it is ${version}`, {
    remedy: `Use one that is supported. ${SUPPORTED}`,
    details: { version },
  });
}

/** The wait is experimental: what the server itself says of it counts more than its version. */
async function featuresOf(detection: Detection, version: string): Promise<AirflowFeatures> {
  const [, , minor] = VERSION.exec(version) ?? [];
  const byVersion = Number(minor) >= 1;
  return { wait: byVersion && ((await describesWait(detection)) ?? true), dagVersions: true };
}

/** `undefined`: it does not describe itself, or not to us. */
async function describesWait(detection: Detection): Promise<boolean | undefined> {
  const patience = AbortSignal.any([detection.signal, AbortSignal.timeout(OPENAPI_MS)]);
  try {
    const answer = await ask({ ...detection, signal: patience }, '/openapi.json', {}, 1);
    const { paths } = answer.json() as { paths?: unknown };
    if (!answer.ok || typeof paths !== 'object' || paths === null) return undefined;
    return Object.hasOwn(paths, WAIT_PATH);
  } catch {
    detection.signal.throwIfAborted();
    return undefined;
  }
}

async function ask(
  { url, http, signal }: Pick<Detection, 'url' | 'http' | 'signal'>,
  path: string,
  headers: Readonly<Record<string, string>>,
  maxAttempts?: number,
): Promise<HttpResponse> {
  try {
    const sent = { accept: 'application/json', ...headers };
    return await http.request({ method: 'GET', url: `${url}${path}`, headers: sent, maxAttempts, signal });
  } catch (thrown) {
    if (thrown instanceof PlumblineError && thrown.family === 'transient')
      throw airflowAway({ what: WHAT, airflow: url }, thrown);
    throw thrown;
  }
}

function callTo({ url }: Detection): { readonly what: string; readonly airflow: string } {
  return { what: WHAT, airflow: url };
}
