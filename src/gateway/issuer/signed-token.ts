import { randomUUID } from 'node:crypto';
import type { Clock } from '#core/clock.ts';
import type { SigningKeys } from './signing-keys.ts';
import type { IssuedToken, TokenClaims } from './token-issuer.ts';

export interface TokenFrame {
  /** `iss`. */
  readonly url: string;
  readonly lifetimeSeconds: number;
  /** `jti`. @default a random UUID */
  readonly newId?: (() => string) | undefined;
}

/** What the issuer says about every token itself; a caller's claims never say it. */
const OWN = ['iss', 'iat', 'nbf', 'exp', 'jti'];

/**
 * A new token, a compact JWS (RFC 7515 §7.1).
 *
 * @throws {TypeError} for claims that are the issuer's own
 * @throws {PlumblineError} `ERR_ISSUER_UNAVAILABLE`
 */
export async function signedToken(
  claims: TokenClaims,
  { url, lifetimeSeconds, newId = randomUUID }: TokenFrame,
  { keys, clock }: { readonly keys: Pick<SigningKeys, 'sign'>; readonly clock: Clock },
): Promise<IssuedToken> {
  if (OWN.some((name) => name in claims)) throw new TypeError(`Only the issuer itself says ${OWN.join(', ')}`);
  const id = newId();
  const now = Math.floor(clock.now() / 1_000);
  const exp = now + lifetimeSeconds;
  const payload = encoded({ iss: url, ...claims, iat: now, nbf: now, exp, jti: id });
  const textOf = (kid: string) => `${encoded({ alg: 'RS256', kid, typ: 'JWT' })}.${payload}`;
  const { kid, bytes } = await keys.sign(textOf);
  return {
    token: `${textOf(kid)}.${Buffer.from(bytes).toString('base64url')}`,
    id,
    keyId: kid,
    expiresAt: exp * 1_000,
  };
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
