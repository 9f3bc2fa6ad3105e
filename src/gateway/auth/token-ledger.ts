import type { Caller, VerifiedToken } from './caller.ts';

/** `first`: nobody used it before; `same`: the very same request did; `replayed`: another request did. */
export type TokenUsage = 'first' | 'same' | 'replayed';

/**
 * Remembers which tokens of `use: once` were used, by (`iss`, `tokenId`), until `expiresAt`. A token is refused from that
 * moment on, so nothing need be kept longer.
 */
export interface TokenLedger {
  /**
   * Uses the token up, on the disk when it resolves. Of two requests at the same time with different fingerprints one
   * gets `replayed`.
   *
   * @param fingerprint of the request: SHA-256 over method, path, idempotency key and body.
   */
  use(token: VerifiedToken, fingerprint: string): Promise<TokenUsage>;
}

/**
 * The tokens of a caller that one request uses up. Run facts are among them: a pipeline's own token has an audience that
 * every receiver of such a token shares, who could otherwise put the facts of that run beside a token of its own.
 */
export function usedUpBy(caller: Caller): readonly VerifiedToken[] {
  return [caller, ...(caller.runFacts === undefined ? [] : [caller.runFacts])].filter(({ use }) => use === 'once');
}
