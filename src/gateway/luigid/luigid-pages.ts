import { hash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Problem } from '../app/problem.ts';
import type { LuigidUpstream } from './luigid-upstream.ts';

/** A file of luigid's own pages as it is served. */
export interface LuigidPage {
  readonly bytes: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  readonly etag: string;
}

export interface LuigidPages {
  /** @param path as `pagePath` gives it. @throws {Problem} `luigid-unavailable` */
  page(path: string): Promise<LuigidPage | undefined>;
}

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  png: 'image/png',
  ico: 'image/x-icon',
  svg: 'image/svg+xml',
  woff: 'font/woff',
  woff2: 'font/woff2',
  ttf: 'font/ttf',
  otf: 'font/otf',
  eot: 'application/vnd.ms-fontobject',
};
const PAGE =
  /^\/luigid\/static\/(visualiser\/(?:[A-Za-z0-9_-][A-Za-z0-9._-]*\/)*[A-Za-z0-9_-][A-Za-z0-9._-]*\.([a-z0-9]{2,5}))$/;
/** Luigi's pages change with Luigi only. */
const KEPT_MS = 300_000;
const MAX_PAGES = 256;
const MAX_WAITING = 64;
const MISSED_MS = 50;
/** A script in the page itself; templates have a type and are never run. */
const INLINE_SCRIPT = /<script>([\s\S]*?)<\/script>/gi;

/** What stands behind `/static/` of luigid; `undefined` when the path is none of its pages. */
export function pagePath(path: string): string | undefined {
  const [, file, ending = ''] = PAGE.exec(path) ?? [];
  return file !== undefined && !file.includes('..') && Object.hasOwn(TYPES, ending) ? file : undefined;
}

interface Kept {
  readonly at: number;
  readonly page: Promise<LuigidPage | undefined>;
  /** luigid has it: as many as it has are kept. */
  found: boolean;
}

/** Files are asked for one by one, and slowly when luigid has none of the name: nobody keeps it busy with names that he makes up. */
export function luigidPages(upstream: Pick<LuigidUpstream, 'file'>, now = () => performance.now()): LuigidPages {
  const kept = new Map<string, Kept>();
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  const inTurn = (path: string): Promise<LuigidPage | undefined> => {
    if (waiting >= MAX_WAITING) return Promise.reject(overloaded());
    waiting += 1;
    const page = last
      .then(() => upstream.file(path))
      .then(({ found, bytes }) => (found ? pageOf(path, bytes) : undefined))
      .finally(() => {
        waiting -= 1;
      });
    last = page.then((found) => (found === undefined ? pause(MISSED_MS) : undefined)).catch(() => undefined);
    return page;
  };
  return {
    page(path) {
      const known = kept.get(path);
      if (known !== undefined && now() - known.at < KEPT_MS) return known.page;
      const entry: Kept = { at: now(), page: inTurn(path), found: known?.found ?? false };
      forgetMissed(kept);
      kept.set(path, entry);
      entry.page.then(
        (page) => {
          entry.found = page !== undefined;
        },
        () => kept.delete(path),
      );
      return entry.page;
    },
  };
}

function forgetMissed(kept: Map<string, Kept>): void {
  if (kept.size < MAX_PAGES) return;
  for (const [path, { found }] of kept) if (!found) kept.delete(path);
}

function overloaded(): Problem {
  return new Problem('overloaded', 'luigid is asked for too many files', { headers: { 'retry-after': '5' } });
}

function pageOf(path: string, bytes: Buffer): LuigidPage {
  const ending = path.slice(path.lastIndexOf('.') + 1);
  const isHtml = ending === 'html';
  const headers = {
    'content-type': TYPES[ending] ?? '',
    'content-security-policy': isHtml ? documentPolicy(bytes.toString('utf8')) : "default-src 'none'; sandbox",
    'cache-control': isHtml ? 'no-store' : 'private, max-age=300',
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': 'same-origin',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
  };
  return { bytes, headers, etag: `"${hash('sha256', bytes, 'base64url')}"` };
}

/**
 * Scripts of luigid's files and the ones that stand in the page as luigid has it; none that comes with data. Styles of elements
 * are in its templates.
 */
function documentPolicy(html: string): string {
  const scripts = [...html.matchAll(INLINE_SCRIPT)].map(
    ([, script = '']) => `'sha256-${hash('sha256', script, 'base64')}'`,
  );
  return [
    "default-src 'none'",
    `script-src 'self'${scripts.map((script) => ` ${script}`).join('')}`,
    "style-src 'self'",
    "style-src-attr 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}
