import { PlumblineError } from '#core/errors.ts';
import { oneLine } from '#core/task-name.ts';
import type { HttpResponse } from './http-response.ts';

/** What was asked of which gateway, as the beginning of a message. */
export interface GatewayCall {
  /** E.g. `start the run plumbline-1`. */
  readonly what: string;
  readonly gateway: string;
}

/** What a problem document (RFC 9457) says; every text is the gateway's, on one line and cut. */
interface Problem {
  readonly code: string | undefined;
  readonly title: string | undefined;
  readonly detail: string | undefined;
  readonly requestId: string | undefined;
}

const LONGEST = 400;
const CODE = /^[a-z][a-z0-9-]{0,60}$/;
const REQUEST_ID = /^[\w.:-]{1,100}$/;
const PASSING: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

const ABOUT = "Open '/v1/about' of the gateway: it must answer with JSON and without a sign-in.";
const VERSIONS = 'See whether gateway and extension are of versions that fit.';
const TOKEN =
  "Check that the gateway's policy names this issuer and audience, and the clocks of agent and gateway; `plumbline token explain` says which check failed.";
const OF_STATUS: Readonly<Record<number, string>> = {
  400: VERSIONS,
  401: TOKEN,
  403: "Ask whoever owns the gateway's policy; with the request id they find the decision in the audit log.",
  404: 'A run is visible only to the pipeline identity that created it.',
  413: 'Hand over fewer or shorter parameters.',
};
const OF_CODE: Readonly<Record<string, string>> = {
  'run-denied':
    "Ask whoever owns the gateway's policy for a binding of this pipeline to the role, and for the parameters in it; with the request id they find the decision in the audit log.",
  'key-reused': 'The same step asks for another run under a key that it used before: set onExistingRun to new.',
  'airflow-denied':
    "Ask whoever owns the gateway's policy for a binding of this pipeline to the Airflow; with the request id they find the decision in the audit log.",
  'airflow-unknown': 'Correct the name of the Airflow in the service connection: the gateway has none of this name.',
  'token-used':
    'An ID token is good for one request: see whether something between agent and gateway sends requests twice.',
  'request-invalid':
    'Correct the input that is named; where it is none of yours: see whether gateway and extension fit.',
  'body-too-large': 'Hand over fewer or shorter parameters.',
};
const LATER =
  "See '/readyz' of the gateway, which says what is not ready, and run the job again: it takes over a run that was started.";

/** An answer of the gateway that is no success, as an error with its code, title, request id and a remedy. */
export function gatewayRefusal(call: GatewayCall, response: HttpResponse): PlumblineError {
  const { status } = response;
  const problem = readProblem(response);
  if (problem === undefined && !PASSING.has(status))
    return noGateway(call, `it answered HTTP ${status}${typeOf(response)}`, status);
  const { code, title, detail, requestId } = problem ?? {};
  const said = [title, detail === title ? undefined : detail].filter(Boolean).join(': ') || `HTTP ${status}`;
  const names = [code, requestId && `request ${requestId}`].filter(Boolean).join(', ');
  const passing = PASSING.has(status);
  return new PlumblineError(
    passing ? 'ERR_GATEWAY_UNAVAILABLE' : 'ERR_GATEWAY_REFUSED',
    `The gateway ${call.gateway} did not ${call.what}: ${said}${names && ` (${names})`}`,
    {
      remedy: passing ? LATER : (OF_CODE[code ?? ''] ?? OF_STATUS[status] ?? VERSIONS),
      details: { status, gatewayCode: code, requestId, retryAfter: response.header('retry-after')?.slice(0, 40) },
    },
  );
}

/** Whatever it is that answered, it is no gateway, or none that this version understands. */
export function noGateway({ what, gateway }: GatewayCall, why: string, status?: number): PlumblineError {
  return new PlumblineError(
    'ERR_GATEWAY_PROTOCOL',
    `The gateway ${gateway} did not ${what} in a way that can be understood: ${why}`,
    {
      remedy: ABOUT,
      details: { status },
    },
  );
}

function readProblem(response: HttpResponse): Problem | undefined {
  if (!/^application\/problem\+json\b/i.test(response.header('content-type') ?? '')) return undefined;
  const document = parsed(response);
  if (document === undefined) return undefined;
  const text = (name: string) => {
    const value = document[name];
    return typeof value === 'string' && value.trim() !== '' ? oneLine(value, LONGEST) : undefined;
  };
  const code = text('code');
  const requestId = text('requestId');
  return {
    code: code !== undefined && CODE.test(code) ? code : undefined,
    title: text('title'),
    detail: text('detail'),
    requestId: requestId !== undefined && REQUEST_ID.test(requestId) ? requestId : undefined,
  };
}

function parsed(response: HttpResponse): Record<string, unknown> | undefined {
  try {
    const value = response.json();
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function typeOf(response: HttpResponse): string {
  const type = response.header('content-type')?.split(';')[0];
  if (response.status >= 300 && response.status < 400) return ', a redirect, which no API route of a gateway gives';
  return type === undefined ? '' : ` with '${oneLine(type, 60)}'`;
}
