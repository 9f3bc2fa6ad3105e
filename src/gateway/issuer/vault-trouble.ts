import { PlumblineError } from '#core/errors.ts';
import { retryAfterMs } from '#http/retry.ts';

/** Why a vault did not do what it was asked for. */
export interface VaultTrouble {
  /** For operators and callers; nothing of what was sent. */
  readonly why: string;
  /** Of the answer; absent: there was none. */
  readonly status?: number | undefined;
  /** The vault asks to be left alone for so long. */
  readonly waitMs?: number | undefined;
}

/** As far as Azure Core's `RestError` goes. */
interface AnsweredError {
  readonly statusCode?: unknown;
  readonly code?: unknown;
  readonly response?: { readonly headers?: { get(name: string): string | undefined } | undefined } | undefined;
}

const BUSY: readonly unknown[] = [429, 503];
const WAIT_MS = 1_000;

export function vaultTrouble(thrown: unknown, now: number): VaultTrouble {
  if (thrown instanceof PlumblineError) return { why: thrown.message };
  const { statusCode, code, response } = Object(thrown) as AnsweredError;
  if (typeof statusCode !== 'number') return { why: `the vault gave no answer (${nameOf(thrown)})` };
  const waitMs = BUSY.includes(statusCode)
    ? (retryAfterMs(response?.headers?.get('retry-after'), now) ?? WAIT_MS)
    : undefined;
  return { why: `the vault answered ${statusCode}${wordOf(code)}`, status: statusCode, waitMs };
}

function nameOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.name : typeof thrown;
}

/** A code is one word of the vault's own. */
function wordOf(code: unknown): string {
  return typeof code === 'string' && /^\w{1,60}$/.test(code) ? ` (${code})` : '';
}
