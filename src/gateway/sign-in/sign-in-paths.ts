export const SIGN_IN_PATH = '/luigid/sign-in';
export const CALLBACK_PATH = '/luigid/sign-in/callback';
export const SIGN_OUT_PATH = '/luigid/sign-out';
/** Where people are after they signed in, whatever they asked for before: no request says where it leads. */
export const PAGES_PATH = '/luigid/';

const PATHS: ReadonlySet<string> = new Set([SIGN_IN_PATH, CALLBACK_PATH, SIGN_OUT_PATH]);

/** @param target of the request, with its query */
export function isSignInPath(target: string): boolean {
  const end = target.indexOf('?');
  return PATHS.has(end === -1 ? target : target.slice(0, end));
}
