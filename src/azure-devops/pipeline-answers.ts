import { PlumblineError } from '#core/errors.ts';
import type { JsonValue } from '#core/json.ts';
import { neutralise } from '#core/neutralise.ts';
import { oneLine } from '#core/task-name.ts';
import type { HttpResponse } from '#http/http-response.ts';
import { ProxyRefused } from '#http/proxy-refused.ts';
import { retryAfterMs } from '#http/retry.ts';

/** Why Azure DevOps will not do it, as a stable word. */
export type RefusalReason = 'sign-in' | 'permission' | 'not-found' | 'invalid';

/** What became of a request to queue a run. */
export type QueueAnswer =
  | { readonly kind: 'queued'; readonly runId: number; readonly name: string }
  /** Nothing was queued, and asking again would change nothing. */
  | { readonly kind: 'refused'; readonly reason: RefusalReason; readonly status: number; readonly message: string }
  /** Nothing was queued; it may be asked again, after `afterMs` when Azure DevOps says so. */
  | { readonly kind: 'later'; readonly why: string; readonly afterMs?: number | undefined }
  /** It may have been queued. `finished`: Azure DevOps has answered, so nothing of it is under way any more. */
  | { readonly kind: 'ambiguous'; readonly why: string; readonly finished: boolean };

const LONGEST_MESSAGE = 300;
const STATUS_WORDS: Readonly<Record<number, string>> = { 401: 'HTTP 401', 403: 'HTTP 403', 404: 'HTTP 404' };

/** @param now milliseconds since the epoch, for a Retry-After that is a date */
export function queueAnswer(response: HttpResponse, now: number): QueueAnswer {
  const { status } = response;
  if (status === 429)
    return { kind: 'later', why: 'HTTP 429', afterMs: retryAfterMs(response.header('retry-after'), now) };
  const reason = refusalOf(response);
  if (reason !== undefined) return { kind: 'refused', reason, status, message: messageOf(response) };
  const run = status === 200 || status === 201 ? runOf(response) : undefined;
  if (run !== undefined) return { kind: 'queued', ...run };
  // Somebody between has given up; Azure DevOps may still be at it. So it is with a success that cannot be read.
  const finished = status >= 500 && status !== 502 && status !== 504;
  const why = status < 300 ? `HTTP ${status} with an answer that names no run` : `HTTP ${status}`;
  return { kind: 'ambiguous', why, finished };
}

/** The refusal in an answer; `undefined` when it is none, or one that may pass. */
export function refusalOf({ status }: HttpResponse): RefusalReason | undefined {
  // To sign in is what Azure DevOps asks of whoever it does not know, with a page or with the way to one.
  if (status === 401 || status === 203 || (status >= 300 && status < 400)) return 'sign-in';
  if (status === 403) return 'permission';
  if (status === 404) return 'not-found';
  return status >= 400 && status < 500 && status !== 408 && status !== 429 ? 'invalid' : undefined;
}

/** Azure DevOps' own words, without anything that a log or a browser would take for more than text. */
export function messageOf(response: HttpResponse): string {
  const told = response.status === 203 ? undefined : field(jsonOf(response), 'message');
  const words = typeof told === 'string' ? told : '';
  const text = neutralise(oneLine(words.replace(/[\p{Cc}\p{Cf}]/gu, ' '), LONGEST_MESSAGE));
  return text === '' ? (STATUS_WORDS[response.status] ?? `HTTP ${response.status}`) : text;
}

/** A connection that failed: whether the request can have gone out. */
export function lostAnswer(thrown: unknown): QueueAnswer {
  if (!(thrown instanceof PlumblineError)) throw thrown;
  const systemCode = String(thrown.details['systemCode'] ?? '');
  const why = oneLine(systemCode || thrown.code, 80);
  const unsent = thrown.cause instanceof ProxyRefused || NEVER_SENT.test(systemCode);
  return unsent ? { kind: 'later', why } : { kind: 'ambiguous', why, finished: false };
}

/** No connection was made, or none whose other end is known. */
const NEVER_SENT =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|CERT_|ERR_TLS_CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_)/;

function runOf(response: HttpResponse): { runId: number; name: string } | undefined {
  const answer = jsonOf(response);
  const runId = field(answer, 'id');
  if (typeof runId !== 'number' || !Number.isSafeInteger(runId) || runId < 1) return undefined;
  return { runId, name: nameOf(field(answer, 'name')) };
}

/** A run's name as the pipeline gives it: anybody's text. */
export function nameOf(name: unknown): string {
  return typeof name === 'string' ? neutralise(oneLine(name.replace(/[\p{Cc}\p{Cf}]/gu, ' '), 255)) : '';
}

export function jsonOf(response: HttpResponse): JsonValue | undefined {
  try {
    return response.json() as JsonValue;
  } catch {
    return undefined;
  }
}

export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
