import type { IncomingMessage } from 'node:http';
import { Problem } from './problem.ts';

/** Headers that mean something here and may stand once. Node keeps only one of several and does not say so. */
const ONCE = new Set([
  'authorization',
  'plumbline-run-facts',
  'idempotency-key',
  'host',
  'content-type',
  'content-length',
  'content-encoding',
  'transfer-encoding',
  'expect',
  'range',
  'last-event-id',
]);

/** The path of every route is of these characters: whatever needs an escape is no path of ours. */
const PATH = /^\/[A-Za-z0-9._~-]*(?:\/[A-Za-z0-9._~-]+)*\/?$/;

/** More are no request of anybody's; the size of the head alone lets thousands through. */
const MAX_HEADERS = 128;

/**
 * Refuses what two parsers could read in two ways: another version than HTTP/1, a header of ours that stands twice, or under
 * another spelling that some servers map to it (`Plumbline_Run_Facts`), and a request target that is no plain path.
 *
 * @throws {Problem} `header-ambiguous`, `headers-too-large`, `request-malformed`
 */
export function checkRequestHead({ rawHeaders, headers, url = '', httpVersion }: IncomingMessage): void {
  if (httpVersion !== '1.1' && httpVersion !== '1.0')
    throw new Problem('request-malformed', 'The request is no HTTP/1.1');
  if (rawHeaders.length > 2 * MAX_HEADERS)
    throw new Problem('headers-too-large', `The request has more than ${MAX_HEADERS} headers`);
  if (headers.host === undefined) throw new Problem('request-malformed', 'The request has no Host');
  checkHeaders(rawHeaders);
  const end = url.indexOf('?');
  const path = end === -1 ? url : url.slice(0, end);
  if (!PATH.test(path) || url.includes('#'))
    throw new Problem(
      'request-malformed',
      'The request target is no path of this API: it has escapes, a fragment or a host',
    );
}

function checkHeaders(rawHeaders: readonly string[]): void {
  const seen = new Set<string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const written = (rawHeaders[i] as string).toLowerCase();
    const name = written.includes('_') ? written.replaceAll('_', '-') : written;
    if (!ONCE.has(name)) continue;
    if (name !== written) throw new Problem('header-ambiguous', `The header ${name} is written with an underscore`);
    if (seen.has(name)) throw new Problem('header-ambiguous', `The header ${name} stands more than once`);
    seen.add(name);
  }
}

const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/** The token of `Authorization: Bearer …`; `undefined` when there is none, or another scheme. */
export function bearerOf(authorization: string | undefined): string | undefined {
  return authorization === undefined ? undefined : BEARER.exec(authorization)?.[1];
}
