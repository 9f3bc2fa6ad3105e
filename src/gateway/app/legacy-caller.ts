import { hash } from 'node:crypto';
import type { Caller } from '../auth/caller.ts';
import { LEGACY_ISSUER, type LegacyCredential } from '../policy/policy.ts';

/**
 * The caller of a credential of old, when the token is one of those in the policy and its time is not over. Only digests are
 * compared: which of them is not equal tells nothing about the token.
 */
export function legacyCaller(token: string, credentials: readonly LegacyCredential[], now: number): Caller | undefined {
  if (credentials.length === 0) return undefined;
  const tokenHash = hash('sha256', token);
  const found = credentials.find(({ sha256, until }) => sha256 === tokenHash && now < until);
  if (found === undefined) return undefined;
  const { name, until } = found;
  return {
    issuer: LEGACY_ISSUER,
    profile: 'oidc',
    iss: LEGACY_ISSUER,
    subject: name,
    audience: '',
    signed: {},
    claims: { sub: name },
    use: 'untilExpiry',
    tokenId: tokenHash,
    tokenHash,
    expiresAt: until,
    scope: hash('sha256', JSON.stringify(['plumbline legacy credential', name])),
  };
}
