import type { Profile } from './profile.ts';

/**
 * Any other OpenID Connect issuer: Okta, Google, AWS, Keycloak. Which of its claims is a project or a branch nobody can
 * know, so nothing but issuer, subject and audience is taken as a fact; the policy's bindings read the claims.
 */
export const oidc: Profile = {
  problem: () => undefined,
  read: (claims) => ({ signed: {}, tokenId: claims.optionalText('jti') }),
};
