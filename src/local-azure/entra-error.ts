import { randomUUID } from 'node:crypto';
import type { Reply } from './exchange.ts';

/** A refusal in the words of Entra's token endpoint. */
export class EntraError extends Error {
  override readonly name = 'EntraError';
  readonly code: number;
  readonly oauth: string;
  readonly status: number;

  constructor(code: number, message: string) {
    super(`AADSTS${code}: ${message}`);
    this.code = code;
    [this.oauth, this.status] = KINDS.get(code) ?? ['invalid_client', 401];
  }
}

/** OAuth error and status per code as in captured answers of the service; what is not listed is `invalid_client`, 401. */
const KINDS = new Map<number, readonly [oauth: string, status: number]>([
  [90002, ['invalid_request', 400]],
  [900023, ['invalid_request', 400]],
  [900144, ['invalid_request', 400]],
  [90014, ['invalid_request', 400]],
  [700016, ['unauthorized_client', 400]],
  [70003, ['unsupported_grant_type', 400]],
  [1002012, ['invalid_scope', 400]],
  [500011, ['invalid_resource', 400]],
]);

/** Entra's error document: every field of it, the description with its three trailing lines. */
export function entraErrorReply(error: EntraError, login: string, now: number): Reply {
  const [trace, correlation] = [randomUUID(), randomUUID()];
  const timestamp = new Date(now)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z');
  const body = {
    error: error.oauth,
    error_description: `${error.message} Trace ID: ${trace} Correlation ID: ${correlation} Timestamp: ${timestamp}`,
    error_codes: [error.code],
    timestamp,
    trace_id: trace,
    correlation_id: correlation,
    error_uri: `https://${login}/error?code=${error.code}`,
  };
  return { status: error.status, headers: { 'cache-control': 'no-store, no-cache', 'x-ms-request-id': trace }, body };
}
