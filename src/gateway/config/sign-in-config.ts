import type { SignInConfig } from './gateway-config.ts';
import type { RawGatewayConfig } from './raw-gateway-config.ts';
import { DAY, milliseconds, SECOND } from './read-duration.ts';
import { type Complain, issuerUrlProblem } from './url-problem.ts';

/** @param path makes a path of the file absolute */
export function signInConfig(
  raw: RawGatewayConfig['signIn'],
  path: (relative: string) => string,
  complain: Complain,
): SignInConfig | undefined {
  if (raw === undefined) return undefined;
  const why = issuerUrlProblem(URL.parse(raw.issuer));
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
