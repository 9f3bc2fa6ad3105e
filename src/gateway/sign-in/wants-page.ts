import type { IncomingMessage } from 'node:http';

/** Whether a request is a browser's that goes to a page: not that of a script, a picture or a frame. */
export function wantsPage({ method, headers }: Pick<IncomingMessage, 'method' | 'headers'>): boolean {
  if (method !== 'GET') return false;
  const mode = headers['sec-fetch-mode'];
  if (mode !== undefined) return mode === 'navigate' && headers['sec-fetch-dest'] === 'document';
  // A browser of before 2023, or no browser.
  return /\btext\/html\b/i.test(headers.accept ?? '');
}
