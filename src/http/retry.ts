/** Methods that may be sent again: RFC 9110 §9.2.2. */
export const IDEMPOTENT_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE']);

const RETRIED_STATUSES: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504]);

/** A wait that a server asks for is followed up to this long; for longer the answer goes to the caller at once. */
const LONGEST_WAIT_MS = 120_000;
const FIRST_DELAY_MS = 500;
const LONGEST_BACKOFF_MS = 8_000;

/** How one attempt ended: with a status, or with a network failure that may or may not be worth another try. */
export type AttemptOutcome =
  | { readonly status: number; readonly retryAfter?: string | undefined }
  | { readonly status?: undefined; readonly transient: boolean };

export interface RetryQuestion {
  readonly idempotent: boolean;
  /** 1 for the first. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly outcome: AttemptOutcome;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Whether the request is sent again. Only idempotent ones are, and only on answers that say nothing about the request itself. */
export function shouldRetry({ idempotent, attempt, maxAttempts, outcome, now }: RetryQuestion): boolean {
  if (!idempotent || attempt >= maxAttempts) return false;
  if (outcome.status === undefined) return outcome.transient;
  if (!RETRIED_STATUSES.has(outcome.status)) return false;
  return (retryAfterMs(outcome.retryAfter, now) ?? 0) <= LONGEST_WAIT_MS;
}

/**
 * Milliseconds until the next attempt. `Retry-After` is authoritative and gets no jitter; else the wait doubles from half
 * a second to 8 s, spread over its upper half by `random` (0 to 1).
 */
export function retryDelay({ attempt, outcome, now }: RetryQuestion, random: number): number {
  const asked = outcome.status === undefined ? undefined : retryAfterMs(outcome.retryAfter, now);
  if (asked !== undefined) return asked;
  const backoff = Math.min(FIRST_DELAY_MS * 2 ** (attempt - 1), LONGEST_BACKOFF_MS);
  return Math.round(backoff * (0.5 + random / 2));
}

/** `Retry-After` in milliseconds: seconds or an HTTP date (RFC 9110 §10.2.3); `undefined` when absent or unreadable. */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  const text = header?.trim();
  if (!text) return undefined;
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
