import type { IssuerSettings } from './issuer-settings.ts';

const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);
const ADDRESS = /^(\[.*\]|\d{1,3}(\.\d{1,3}){3})$/;
const WELL_KNOWN = '/.well-known/openid-configuration';

/** Where the discovery document of an issuer lies (OpenID Connect Discovery §4). */
export function discoveryAddress(issuer: string): string {
  return `${issuer.replace(/\/$/, '')}${WELL_KNOWN}`;
}

/** Why keys may not be fetched from the address that the policy names; `undefined` when they may. */
export function keyAddressProblem(address: string): string | undefined {
  const url = URL.parse(address);
  if (url === null) return 'it is no URL';
  if (url.username !== '' || url.password !== '' || url.hash !== '') return 'it has user info or a fragment';
  if (url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.has(url.hostname))) return undefined;
  return 'it is not https (http only on this machine)';
}

/**
 * Why the key address in an issuer's own document is not followed: it must be https, and a document that somebody far away
 * wrote leads neither to this machine nor to an address without a name.
 */
export function publishedAddressProblem(
  address: unknown,
  { issuer }: Pick<IssuerSettings, 'issuer'>,
): string | undefined {
  if (typeof address !== 'string') return 'it is missing';
  const problem = keyAddressProblem(address);
  if (problem !== undefined) return problem;
  const [host, own] = [new URL(address).hostname, URL.parse(issuer)?.hostname];
  const named = !LOOPBACK.has(host) && !ADDRESS.test(host);
  return named || host === own ? undefined : 'it leads to this machine or to a bare IP address';
}
