import type { SignInConfig } from './gateway-config.ts';
import type { RawGatewayConfig } from './raw-gateway-config.ts';
import { DAY, milliseconds, SECOND } from './read-duration.ts';
import { type Complain, issuerUrlProblem } from './url-problem.ts';

/** Public, US Government, China. */
const ENTRA = new Set(['login.microsoftonline.com', 'login.microsoftonline.us', 'login.partner.microsoftonline.cn']);

/** @param path makes a path of the file absolute */
export function signInConfig(
  raw: RawGatewayConfig['signIn'],
  path: (relative: string) => string,
  complain: Complain,
): SignInConfig | undefined {
  if (raw === undefined) return undefined;
  const url = URL.parse(raw.issuer);
  const why = issuerUrlProblem(url) ?? everyTenant(url);
  if (why !== undefined) complain(['signIn', 'issuer'], why);
  if (!raw.scopes.includes('openid')) complain(['signIn', 'scopes'], 'must contain openid');
  return {
    issuer: raw.issuer,
    clientId: raw.clientId,
    clientSecretFile: raw.clientSecretFile === undefined ? undefined : path(raw.clientSecretFile),
    scopes: raw.scopes,
    sessionMs: milliseconds(raw.session, ['signIn', 'session'], [60 * SECOND, 7 * DAY], complain),
  };
}

/** Entra's words for every directory there is: whoever has an account anywhere could sign in. */
function everyTenant(url: URL | null): string | undefined {
  const tenant = url?.pathname.split('/')[1]?.toLowerCase() ?? '';
  if (!ENTRA.has(url?.hostname ?? '') || !['common', 'organizations', 'consumers'].includes(tenant)) return undefined;
  return `must name one tenant: ${tenant} is every one there is`;
}
