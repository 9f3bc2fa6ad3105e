import { type ErrorCode, type ErrorFacts, PlumblineError } from '#core/errors.ts';
import type { NetworkSettings } from '#core/network.ts';
import { ProxyRefused } from './proxy-refused.ts';

/** What an error message says of a request: never its query, user info, headers or body. */
export interface RequestName {
  readonly method: string;
  readonly url: URL;
}

const CERTIFICATE_CODES: ReadonlySet<string> = new Set([
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

const TRANSIENT_CODES: ReadonlySet<string> = new Set([
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
]);

/** The name of a request as it stands in messages and debug lines: `GET https://host/path`. */
export function nameOf({ method, url }: RequestName): string {
  return `${method} ${url.origin}${url.pathname}`;
}

/** A failure of the connection, with the remedy for the usual causes. `cause.code` tells which one it was. */
export function networkError(request: RequestName, cause: unknown, network: NetworkSettings): PlumblineError {
  const code = codeOf(cause);
  const why = cause instanceof Error ? cause.message || code : String(cause);
  return httpError('ERR_HTTP_NETWORK', request, why || 'the connection failed', {
    cause,
    remedy: networkRemedy(cause, request.url.hostname, network),
    details: { systemCode: code },
  });
}

/** Whether a failure of the connection may pass by itself. A refused certificate does not. */
export function isTransient(error: PlumblineError): boolean {
  if (error.code === 'ERR_HTTP_TIMEOUT') return true;
  return error.code === 'ERR_HTTP_NETWORK' && isTransientCode(error.details['systemCode']);
}

/** Whether a system error code, e.g. `ECONNRESET`, stands for a failure that may pass by itself. */
export function isTransientCode(code: unknown): boolean {
  return typeof code === 'string' && TRANSIENT_CODES.has(code);
}

export function timeoutError(request: RequestName, timeoutMs: number): PlumblineError {
  return httpError('ERR_HTTP_TIMEOUT', request, `no complete answer within ${timeoutMs / 1_000} s`, {
    remedy: `Check that '${request.url.hostname}' answers from this machine, and the proxy if there is one.`,
    details: { timeoutMs },
  });
}

export function bodyError(request: RequestName, why: string, cause?: unknown): PlumblineError {
  return httpError('ERR_HTTP_BODY', request, why, { cause });
}

export function statusError(request: RequestName, status: number): PlumblineError {
  return httpError('ERR_HTTP_STATUS', request, `HTTP ${status}`, { details: { status } });
}

function httpError(code: ErrorCode, request: RequestName, why: string, facts: ErrorFacts): PlumblineError {
  const details = { method: request.method, url: `${request.url.origin}${request.url.pathname}`, ...facts.details };
  return new PlumblineError(code, `${nameOf(request)} failed: ${why}`, { ...facts, details });
}

function codeOf(cause: unknown): string {
  return cause instanceof Error && 'code' in cause ? String(cause.code) : '';
}

/** What the user can do about a failed connection to `host`, as far as the error tells. */
export function networkRemedy(cause: unknown, host: string, network: NetworkSettings): string | undefined {
  const code = codeOf(cause);
  if (cause instanceof ProxyRefused) return proxyRemedy(cause, host);
  if (CERTIFICATE_CODES.has(code)) return certificateRemedy(host, network);
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return `Check the name '${host}' and, behind a proxy, that the agent is configured with it (\`config --proxyurl\`).`;
  if (code === '') return undefined;
  return `Check that '${host}' can be reached from this machine, and the proxy if there is one.`;
}

function proxyRemedy({ status }: ProxyRefused, host: string): string {
  if (status === 407)
    return "Give the agent the proxy's user name and password (`config --proxyusername --proxypassword`).";
  return `Ask for '${host}' to be allowed on the proxy, or add it to the agent's proxy bypass list.`;
}

function certificateRemedy(host: string, { skipVerification }: NetworkSettings): string {
  const trust = `Configure the agent with the certificate authority that signs for '${host}' (\`config --sslcacert\`).`;
  if (!skipVerification) return trust;
  return `${trust} Plumbline does not follow the agent's \`--sslskipcertvalidation\`: these connections carry tokens.`;
}
