import { calculateJwkThumbprint } from 'jose';
import type { PublicKey } from './token-issuer.ts';

/**
 * `prepared`: published, does not sign yet. `active`: signs; there is one. `retired`: signs no more, published for the tokens
 * that are about. `removed`: published no more.
 */
export type KeyState = 'prepared' | 'active' | 'retired' | 'removed';

/** A key of the issuer and how far its life has come. */
export interface IssuerKey {
  readonly kid: string;
  readonly jwk: PublicKey;
  /** What it is to be. */
  readonly state: KeyState;
  /** What it is: the state that the audit log has on record. Absent: nobody has seen this key yet. */
  readonly inForce?: KeyState | undefined;
  /** Since when it is that, as `steadyTime` counts. */
  readonly since: number;
}

/** As the audit log calls the beginning of each state. */
export const TRANSITIONS = {
  prepared: 'prepared',
  active: 'activated',
  retired: 'retired',
  removed: 'removed',
} as const satisfies Record<KeyState, string>;
export type KeyTransition = (typeof TRANSITIONS)[KeyState];

/**
 * An RSA key as it is published: nothing but what verifies (RFC 7517 §4), `kid` being its thumbprint (RFC 7638).
 *
 * @throws {TypeError} when it is no RSA key
 */
export async function publicKeyOf({ kty, n, e }: PublicParts): Promise<PublicKey> {
  if (kty !== 'RSA' || !n || !e) throw new TypeError('Only RSA keys sign tokens of the issuer');
  const kid = await calculateJwkThumbprint({ kty, n, e }, 'sha256');
  return { kty, use: 'sig', alg: 'RS256', kid, n, e };
}

export interface PublicParts {
  readonly kty?: string | undefined;
  /** Base64url. */
  readonly n?: string | undefined;
  readonly e?: string | undefined;
}
