import type { IssuerSettings } from './issuer-settings.ts';

const ID_TOKEN: readonly (string | undefined)[] = [undefined, 'jwt'];
const ACCESS_TOKEN: readonly (string | undefined)[] = [...ID_TOKEN, 'at+jwt', 'application/at+jwt'];

/**
 * Whether a token with this `typ` (in lower case) is of the kind that the issuer is configured for: an access token as RFC
 * 9068 marks it is none where an ID token is expected, and neither is a logout token, a DPoP proof or a security event.
 */
export function isExpectedType(typ: string | undefined, { profile, use }: IssuerSettings): boolean {
  const accessToken = use === 'untilExpiry' && (profile === 'entra' || profile === 'oidc');
  return (accessToken ? ACCESS_TOKEN : ID_TOKEN).includes(typ);
}
