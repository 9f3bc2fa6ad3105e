import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { Problem } from '../app/problem.ts';
import type { LuigidMethod } from './luigid-methods.ts';

/** Headers that say where a request of a browser comes from; each stands once and under this name. */
const OF_BROWSERS = new Set(['origin', 'sec-fetch-site', 'x-requested-with']);

/**
 * Refuses what another site made somebody's browser send: that browser brings the cookie, or the address, by itself. What
 * changes something needs a header that no form and no link of another site can have.
 *
 * @throws {Problem} `luigid-denied` (`cross-site`), `header-ambiguous`
 */
export function checkCookieRequest(
  { headers, rawHeaders }: Pick<IncomingMessage, 'headers' | 'rawHeaders'>,
  publicUrl: string | undefined,
  { kind }: Pick<LuigidMethod, 'kind'>,
): void {
  checkOnce(rawHeaders);
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin') throw crossSite();
  if (origin !== undefined && !isOwn(origin, host, publicUrl)) throw crossSite();
  const changes = kind === 'operate' || kind === 'admin';
  if (changes && headers['x-requested-with'] !== 'XMLHttpRequest') throw crossSite();
}

function isOwn(origin: string, host: string | undefined, publicUrl: string | undefined): boolean {
  const url = URL.parse(origin);
  if (url === null || url.origin !== origin) return false;
  return url.host === host || origin === URL.parse(publicUrl ?? '')?.origin;
}

function checkOnce(rawHeaders: readonly string[]): void {
  const seen = new Set<string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const written = (rawHeaders[i] as string).toLowerCase();
    const name = written.replaceAll('_', '-');
    if (!OF_BROWSERS.has(name)) continue;
    if (name !== written || seen.has(name))
      throw new Problem('header-ambiguous', `The header ${name} stands more than once, or under another name`);
    seen.add(name);
  }
}

function crossSite(): Problem {
  return new Problem('luigid-denied', 'The request does not come from a page of this gateway', {
    reason: 'cross-site',
  });
}

/**
 * Refuses a browser that was led here by a name that is not this gateway's: the page that led it there chose where its name
 * points (DNS rebinding), and the address that a binding believes is the browser's. Workers send neither `GET` nor `Origin`.
 *
 * @throws {Problem} `luigid-denied` (`cross-site`)
 */
export function checkOwnName(
  { method, headers: { host = '', origin } }: Pick<IncomingMessage, 'method' | 'headers'>,
  publicUrl: string | undefined,
): void {
  if (method !== 'GET' && origin === undefined) return;
  const { hostname = '' } = URL.parse(`http://${host}`) ?? {};
  const isAddress = isIP(hostname.replace(/^\[|\]$/g, '')) !== 0;
  const isHere = isAddress || hostname === 'localhost' || hostname === URL.parse(publicUrl ?? '')?.hostname;
  if (!isHere) throw crossSite();
}
