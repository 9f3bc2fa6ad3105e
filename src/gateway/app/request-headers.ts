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

/**
 * Refuses what two parsers could read in two ways: a header of ours that stands twice, or under another spelling that some
 * servers map to it (`Plumbline_Run_Facts`), and a request target that is no plain path.
 *
 * @throws {Problem} `header-ambiguous`, `request-malformed`
 */
export function checkRequestHead(rawHeaders: readonly string[], target: string): void {
  checkHeaders(rawHeaders);
  const end = target.indexOf('?');
  const path = end === -1 ? target : target.slice(0, end);
  if (!PATH.test(path) || target.includes('#'))
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
