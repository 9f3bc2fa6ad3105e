import type { Caller, VerifiedToken } from './caller.ts';
import type { IssuerSettings } from './issuer-settings.ts';

/** What a request brings. Neither is ever logged. */
export interface Credentials {
  /** Of `Authorization: Bearer`. */
  readonly bearer: string;
  /** Of `Plumbline-Run-Facts`: the pipeline's own token beside an Entra access token. */
  readonly runFacts?: string | undefined;
}

export interface IssuerHealth {
  readonly name: string;
  /** `fresh`, `stale` (serving keys that could not be refreshed), `unavailable` (no keys to verify with). */
  readonly keys: 'fresh' | 'stale' | 'unavailable' | 'unused';
  /** Milliseconds since the epoch. */
  readonly keysSince?: number | undefined;
  readonly lastError?: string | undefined;
}

/** Turns credentials into a caller, or says why not. */
export interface Authenticator {
  /**
   * @throws {PlumblineError} `ERR_TOKEN_MALFORMED`, `ERR_TOKEN_UNTRUSTED` (issuer, audience, algorithm, key or signature),
   *   `ERR_TOKEN_EXPIRED`, `ERR_TOKEN_CLAIMS` (shape, lifetime, age, missing claims) or `ERR_ISSUER_UNAVAILABLE`;
   *   `details.reason` is a stable word such as `signature`, `audience`, `lifetime`
   */
  authenticate(credentials: Credentials): Promise<Caller>;
  /** One token, without run facts. */
  verify(token: string): Promise<VerifiedToken>;
  /** Takes over another list of issuers; keys of those that did not change are kept. */
  configure(issuers: readonly IssuerSettings[]): void;
  health(): readonly IssuerHealth[];
  close(): void;
}
