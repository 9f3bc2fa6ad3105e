import { abortable } from '#core/abortable.ts';
import type { Clock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import type { Secret } from '#core/secret.ts';

/** A token that a resource accepts until `expiresAt`, in milliseconds since the epoch. */
export interface AccessToken {
  readonly token: Secret;
  readonly expiresAt: number;
}

export interface TokenCache {
  /**
   * The token for a scope, e.g. `https://vault.azure.net/.default`, fetched when there is none that lives for five more
   * minutes (half its life when that is shorter). Callers at the same time share one request.
   *
   * @throws what the fetch throws, and the signal's reason; other callers are not disturbed by one that leaves.
   */
  token(scope: string, signal?: AbortSignal): Promise<AccessToken>;
}

const MARGIN_MS = 300_000;

/**
 * Keeps one token for each scope. A renewal that fails for a passing reason leaves the last token in use while it is
 * valid; a refusal never does: an identity that is rejected now may have been taken away.
 */
export function createTokenCache(fetch: (scope: string) => Promise<AccessToken>, clock: Clock): TokenCache {
  const kept = new Map<string, Kept>();
  const pending = new Map<string, Promise<AccessToken>>();
  return { token };

  async function token(scope: string, signal?: AbortSignal): Promise<AccessToken> {
    signal?.throwIfAborted();
    const known = kept.get(scope);
    if (known && clock.now() < known.renewAt) return known.token;
    return abortable(pending.get(scope) ?? renewed(scope), signal);
  }

  function renewed(scope: string): Promise<AccessToken> {
    const fetching = fetchInto(scope).finally(() => pending.delete(scope));
    // Every caller gets the failure; this only keeps it from being unhandled when all of them have left.
    fetching.catch(() => undefined);
    pending.set(scope, fetching);
    return fetching;
  }

  async function fetchInto(scope: string): Promise<AccessToken> {
    try {
      const token = await fetch(scope);
      kept.set(scope, { token, renewAt: renewAt(token, clock.now()) });
      return token;
    } catch (thrown) {
      const last = kept.get(scope)?.token;
      if (last && isPassing(thrown) && clock.now() < last.expiresAt) return last;
      kept.delete(scope);
      throw thrown;
    }
  }
}

interface Kept {
  readonly token: AccessToken;
  readonly renewAt: number;
}

function renewAt({ expiresAt }: AccessToken, now: number): number {
  return expiresAt - Math.min(MARGIN_MS, (expiresAt - now) / 2);
}

function isPassing(thrown: unknown): boolean {
  return thrown instanceof PlumblineError && thrown.family === 'transient';
}
