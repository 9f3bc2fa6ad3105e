import type { JsonValue } from '#core/json.ts';

/** What a token of this gateway says. `iss`, `iat`, `nbf`, `exp` and `jti` are the issuer's to add. */
export interface TokenClaims {
  readonly sub: string;
  /** Exactly one. */
  readonly aud: string;
  readonly [claim: string]: JsonValue;
}

export interface IssuedToken {
  /** A compact JWS, RS256, `typ: JWT`. */
  readonly token: string;
  /** `jti`: a random UUID. */
  readonly id: string;
  readonly keyId: string;
  /** Milliseconds since the epoch; whole seconds. */
  readonly expiresAt: number;
}

/** One published key: RFC 7517, public part only; `kid` is its RFC 7638 thumbprint. */
export type PublicKey = Readonly<Record<string, JsonValue>> & { readonly kid: string };

/** This gateway as an OpenID issuer. */
export interface TokenIssuer {
  /** `iss`, without a slash at the end. */
  readonly url: string;
  /** Seconds, at most 600. */
  readonly lifetimeSeconds: number;
  /** For how many seconds whoever verifies tokens may keep a copy of the keys; a new key signs only when such copies are over. */
  readonly keysMaxAgeSeconds: number;
  /** Where tokens are exchanged. */
  readonly tokenEndpoint: string;
  /** @throws {PlumblineError} `ERR_ISSUER_UNAVAILABLE` when no key can sign at the moment; nothing is issued then. */
  issue(claims: TokenClaims): Promise<IssuedToken>;
  /** Every key whose tokens may be about: prepared, active, retired but not yet removed. None: they are not known at the moment. */
  keys(): readonly PublicKey[];
  /** Why it cannot sign at the moment; for readiness. */
  problem(): string | undefined;
  close(): Promise<void>;
}
