import { type ErrorFacts, PlumblineError } from '#core/errors.ts';
import { neutralise } from '#core/neutralise.ts';
import { oneLine } from '#core/task-name.ts';
import type { HttpResponse } from '#http/http-response.ts';

/** What was asked of which Airflow, as the beginning of a message. */
export interface AirflowCall {
  /** E.g. `show the run plumbline-1`. */
  readonly what: string;
  /** Its base address. */
  readonly airflow: string;
}

const LONGEST = 400;
const PASSING: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

const CREDENTIALS =
  'Check the user name and password, or the token, of the connection, and that this user exists in Airflow.';
const PERMISSION =
  "Give the user of the connection the right to read and trigger this DAG in Airflow (role 'User' or 'Op'). Airflow 2 says the same of a wrong password.";
const LOGIN =
  "Something in front of Airflow asks for a sign-in: give the connection a token that it accepts, or the address of Airflow's API itself.";
const LATER = "See Airflow's own health page, and run the job again: it takes over a run that was started.";
const ADDRESS = "Check that the address is that of Airflow's web server or API server, with its path if it has one.";
const VERSIONS = 'See whether this version of Airflow is one that Plumbline supports: 2.10, 2.11 and 3.x.';

/** An answer that is no success, as an error with what Airflow says of it. Nothing of the request's body is quoted. */
export function airflowRefusal(call: AirflowCall, response: HttpResponse): PlumblineError {
  const { status } = response;
  const said = reasonOf(response);
  const details = { status, retryAfter: response.header('retry-after')?.slice(0, 40) };
  const message = `Airflow at ${call.airflow} did not ${call.what}: ${said ?? `HTTP ${status}`}`;
  if (PASSING.has(status) || status >= 500)
    return new PlumblineError('ERR_AIRFLOW_UNAVAILABLE', message, { remedy: LATER, details });
  if (isRedirect(status)) return loginAsked(call, details);
  if (status === 401 || status === 403)
    return new PlumblineError('ERR_AIRFLOW_REFUSED', message, {
      remedy: isAboutCredentials(response) && response.status === 401 ? CREDENTIALS : remedyOf403(response),
      details,
    });
  return noAirflow(call, said ?? `it answered HTTP ${status}`, { status, remedy: VERSIONS });
}

/** Whether other credentials may be accepted where these were not; Airflow 2 does not tell that from a missing permission. */
export function isAboutCredentials(response: HttpResponse): boolean {
  if (response.status === 401) return true;
  if (response.status !== 403) return false;
  const document = documentOf(response);
  return document !== undefined && (document['detail'] === null || document['detail'] === 'Invalid JWT token');
}

/** Whatever it is that answered, it is no Airflow, or none that this version understands. */
export function noAirflow(
  { what, airflow }: AirflowCall,
  why: string,
  { status, remedy = ADDRESS, cause }: { status?: number; remedy?: string; cause?: unknown } = {},
): PlumblineError {
  return new PlumblineError(
    'ERR_AIRFLOW_PROTOCOL',
    `Airflow at ${airflow} did not ${what} in a way that can be understood: ${why}`,
    { remedy, details: { status }, cause },
  );
}

/** An answer that did not come, or not whole. */
export function airflowAway({ what, airflow }: AirflowCall, cause: PlumblineError): PlumblineError {
  return new PlumblineError('ERR_AIRFLOW_UNAVAILABLE', `Airflow at ${airflow} did not ${what}: ${cause.message}`, {
    remedy: cause.remedy ?? LATER,
    details: { systemCode: cause.details['systemCode'] },
    cause,
  });
}

/** A sign-in page instead of an answer: it says nothing of what lies behind it. */
export function loginAsked({ what, airflow }: AirflowCall, details: ErrorFacts['details']): PlumblineError {
  return new PlumblineError('ERR_AIRFLOW_REFUSED', `Airflow at ${airflow} did not ${what}: it sent to a sign-in page`, {
    remedy: LOGIN,
    details,
  });
}

export function isRedirect(status: number): boolean {
  return status >= 300 && status < 400;
}

/**
 * What an error answer says, on one line: RFC 7807 of Airflow 2, `detail` of Airflow 3. Texts that quote the value of a parameter
 * lose everything behind the parameter's name; the input that a 422 repeats is left out.
 */
export function reasonOf(response: HttpResponse): string | undefined {
  const document = documentOf(response);
  if (document === undefined) return undefined;
  const texts = [document['title'], ...textsOf(document['detail'])].filter((text) => typeof text === 'string');
  const said = [...new Set(texts)].filter((text) => text.trim() !== '').join(': ');
  return said === '' ? undefined : neutralise(oneLine(withoutValues(said), LONGEST));
}

function textsOf(detail: unknown): readonly unknown[] {
  if (Array.isArray(detail)) return detail.slice(0, 5).map(fieldProblem);
  if (typeof detail !== 'object' || detail === null) return [detail];
  const { reason, message } = detail as Record<string, unknown>;
  return [reason, message];
}

function fieldProblem(item: unknown): string {
  if (typeof item !== 'object' || item === null) return '';
  const { loc, msg } = item as Record<string, unknown>;
  const where = Array.isArray(loc) ? loc.filter((part) => part !== 'body').join('.') : '';
  return [where, typeof msg === 'string' ? msg : ''].filter(Boolean).join(' ');
}

const QUOTES_VALUE = /(Invalid input for param [^:\n]{1,200}):[\s\S]*?(Failed validating '[\w$-]{1,40}'|$)[\s\S]*/;

function withoutValues(text: string): string {
  return text.replace(QUOTES_VALUE, (_, parameter: string, rule: string) =>
    rule === '' ? parameter : `${parameter} (${rule.toLowerCase()})`,
  );
}

function documentOf(response: HttpResponse): Record<string, unknown> | undefined {
  try {
    const value = response.json();
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function remedyOf403(response: HttpResponse): string {
  const document = documentOf(response);
  return document?.['detail'] === 'Invalid JWT token' ? CREDENTIALS : PERMISSION;
}
