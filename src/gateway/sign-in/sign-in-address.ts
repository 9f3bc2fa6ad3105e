import { CALLBACK_PATH, PAGES_PATH, SIGN_IN_PATH, SIGN_OUT_PATH } from './sign-in-paths.ts';

/** Where browsers find this gateway, and what follows from it. */
export interface SignInAddress {
  readonly origin: string;
  /** What the provider must know. */
  readonly redirectUri: string;
  /** Paths, as a browser must ask for them. */
  readonly signIn: string;
  readonly signOut: string;
  readonly pages: string;
  readonly cookies: {
    readonly session: string;
    readonly flow: string;
    readonly path: string;
    readonly secure: boolean;
  };
}

/**
 * @param url `publicUrl`, or that of a listener on loopback. With https the cookies have `__Host-` names, which no other host
 *   and no plain page can set; on loopback, where all ports share their cookies, the port is in the name.
 */
export function signInAddress(url: string): SignInAddress {
  const { origin, pathname, protocol, port } = new URL(url);
  const base = pathname.replace(/\/+$/, '');
  const secure = protocol === 'https:';
  const name = secure ? '__Host-plumbline' : `plumbline-${port || '80'}`;
  return {
    origin,
    redirectUri: `${origin}${base}${CALLBACK_PATH}`,
    signIn: `${base}${SIGN_IN_PATH}`,
    signOut: `${base}${SIGN_OUT_PATH}`,
    pages: `${base}${PAGES_PATH}`,
    cookies: { session: name, flow: `${name}-flow-`, path: secure ? '/' : `${base}/luigid`, secure },
  };
}
