import { hash } from 'node:crypto';
import type { ProblemCode } from '../app/problem.ts';

/** An answer for a browser. */
export interface Page {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[]>>;
  readonly body: string;
  /** What it refuses, for log and metrics. */
  readonly problem?: { readonly code: ProblemCode; readonly reason?: string | undefined } | undefined;
}

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:36rem;margin:15vh auto;padding:0 1rem;color:#222;background:#fff}' +
  'h1{font-size:1.4rem}a,button{font:inherit;color:#0b5cad}code{font-size:.9em;overflow-wrap:anywhere}' +
  '@media(prefers-color-scheme:dark){body{color:#ddd;background:#1b1b1b}a,button{color:#6cb2f7}}';

const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${hash('sha256', STYLE, 'base64')}'`,
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
].join('; ');

const HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': POLICY,
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
} as const;

interface Content {
  readonly title: string;
  /** HTML of ours; nothing of a request, a token or a provider is ever in it. */
  readonly body: string;
  /** Path that the browser goes to by itself, as from a page of this site. */
  readonly next?: string | undefined;
}

function page(status: number, { title, body, next }: Content): Page {
  const refresh = next === undefined ? '' : `<meta http-equiv="refresh" content="0;url=${next}">`;
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width">${refresh}<title>${title}</title>`;
  const html = `<!doctype html><html lang="en"><head>${head}<style>${STYLE}</style></head><body><h1>${title}</h1>${body}</body></html>\n`;
  return { status, headers: HEADERS, body: html };
}

/**
 * Goes on from a page of this site. After a navigation that another site began, a redirect would still be of that site, and
 * the browser would not bring the session.
 */
export function onwardPage(next: string): Page {
  return page(200, { title: 'Signing in', body: `<p><a href="${next}">Go on to luigid</a></p>`, next });
}

export function redirect(location: string, cookies: string[] = []): Page {
  const headers = { location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer', 'set-cookie': cookies };
  return { status: 303, headers, body: '' };
}

/** @param requestId of ours: by it an operator finds what happened */
export function failedPage(pages: string, requestId: string, reason: string): Page {
  const body =
    `<p>The sign-in could not be finished. It may have been begun in another window, or too long ago.</p>` +
    `<p><a href="${pages}">Begin again</a></p>${forOperator(requestId)}`;
  return { ...page(400, { title: 'Not signed in', body }), problem: { code: 'sign-in-failed', reason } };
}

export function unavailablePage(pages: string, requestId: string, reason: string): Page {
  const body =
    `<p>The provider at which people sign in cannot be used at the moment. Runs and workers go on.</p>` +
    `<p><a href="${pages}">Try again</a></p>${forOperator(requestId)}`;
  const { headers, ...rest } = page(503, { title: 'Nobody can sign in right now', body });
  return { ...rest, headers: { ...headers, 'retry-after': '10' }, problem: { code: 'issuer-unavailable', reason } };
}

/** For somebody who is signed in, and whom the policy does not know. Their claims are not in it. */
export function viewerUnknownPage(address: { readonly signOut: string }, requestId: string): Page {
  const body =
    `<p>You are signed in, but no rule lets you see this luigid.</p>` +
    `<p>Ask whoever owns the policy of this gateway for an entry in <code>viewers</code> that fits you, and for the roles whose ` +
    `tasks you need to see. Then sign in again.</p>` +
    `<form method="post" action="${address.signOut}"><button>Sign out</button></form>${forOperator(requestId)}`;
  return { ...page(403, { title: 'You may not see this', body }), problem: { code: 'viewer-unknown' } };
}

export function signOutPage(signOut: string): Page {
  const body = `<form method="post" action="${signOut}"><button>Sign out of luigid</button></form>`;
  return page(200, { title: 'Sign out', body });
}

export function signedOutPage(pages: string): Page {
  const body =
    `<p>The session here has ended. Your session at the provider has not: end it there too on a machine that others use.</p>` +
    `<p><a href="${pages}">Sign in again</a></p>`;
  return page(200, { title: 'Signed out', body });
}

function forOperator(requestId: string): string {
  return `<p>In the log of the gateway: request <code>${requestId}</code></p>`;
}
