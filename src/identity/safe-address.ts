const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** Where tokens may go, or why not as the end of the sentence "because …". */
export type SafeAddress = { readonly url: string } | { readonly why: string };

/**
 * An address that tokens may be sent to, without a slash at its end: https, or http to this machine; no user info, query or
 * fragment.
 */
export function safeAddress(text: string): SafeAddress {
  if (!URL.canParse(text)) return { why: 'its URL is none' };
  const url = new URL(text);
  if (url.username || url.password || url.search || url.hash) {
    return { why: 'its URL has user info, a query or a fragment' };
  }
  const isSafe = url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname));
  if (!isSafe) return { why: `its URL begins with '${url.protocol}//'` };
  return { url: `${url.origin}${url.pathname}`.replace(/\/+$/, '') };
}
