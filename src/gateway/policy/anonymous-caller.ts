import { isIP } from 'node:net';
import type { Caller } from '../auth/caller.ts';
import { ANONYMOUS_ISSUER } from './policy.ts';

const MAPPED = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

/** Whoever calls luigid and brings nothing: an address. `undefined` for a text that is none. It is never who starts a run. */
export function anonymousCaller(address: string): Caller | undefined {
  const known = canonicalAddress(address);
  if (known === undefined) return undefined;
  return {
    issuer: ANONYMOUS_ISSUER,
    profile: 'oidc',
    iss: ANONYMOUS_ISSUER,
    subject: known,
    audience: ANONYMOUS_ISSUER,
    signed: {},
    claims: { address: known },
    use: 'untilExpiry',
    tokenId: '',
    tokenHash: '',
    expiresAt: 0,
    scope: '',
  };
}

/** One text for one address: an IPv4 address that IPv6 carries is that IPv4 address, and IPv6 is written as RFC 5952 says. */
function canonicalAddress(address: string): string | undefined {
  const version = isIP(address);
  if (version === 4) return address;
  const [bare = ''] = address.split('%');
  const host = version === 6 ? URL.parse(`http://[${bare}]/`)?.hostname.slice(1, -1) : undefined;
  const [, high, low] = MAPPED.exec(host ?? '') ?? [];
  if (high === undefined || low === undefined) return host;
  const bytes = [high, low].flatMap((part) => [Number.parseInt(part, 16) >> 8, Number.parseInt(part, 16) & 255]);
  return bytes.join('.');
}
