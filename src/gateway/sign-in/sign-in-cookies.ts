import { parseCookie, type SetCookie, stringifySetCookie } from 'cookie';
import type { SignInAddress } from './sign-in-address.ts';

/** The value of a cookie; `undefined` when it is not there. */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  return header === undefined ? undefined : parseCookie(header)[name];
}

/** Names of the cookies that begin so. */
export function cookieNames(header: string | undefined, beginning: string): string[] {
  return header === undefined ? [] : Object.keys(parseCookie(header)).filter((name) => name.startsWith(beginning));
}

/** Sent with nothing that another site has begun: a link or form elsewhere does nothing in the name of somebody. */
export function sessionCookie({ cookies }: SignInAddress, value: string, lifeMs: number): string {
  return setCookie(cookies, { name: cookies.session, value, sameSite: 'strict', maxAge: Math.floor(lifeMs / 1_000) });
}

/** Sent when the provider sends the browser back, which is another site's navigation. */
export function flowCookie({ cookies }: SignInAddress, name: string, value: string, lifeMs: number): string {
  return setCookie(cookies, { name, value, sameSite: 'lax', maxAge: Math.floor(lifeMs / 1_000) });
}

export function removedCookie({ cookies }: SignInAddress, name: string): string {
  const sameSite = name === cookies.session ? 'strict' : 'lax';
  return setCookie(cookies, { name, value: '', sameSite, maxAge: 0 });
}

function setCookie({ path, secure }: SignInAddress['cookies'], cookie: SetCookie): string {
  return stringifySetCookie({ ...cookie, path, secure, httpOnly: true });
}
