import { createLocalJWKSet, errors, type JWTPayload, jwtVerify } from 'jose';
import { CLOUDS } from './clouds.ts';
import { AZURE_DEVOPS_APPLICATION } from './federation.ts';
import type { SigningKey } from './signing-key.ts';
import type { Identity, Organization } from './world.ts';

/**
 * The user of the organization that an access token of Entra speaks for, after the checks of signature, issuer (version 1, of the
 * organization's tenant), audience and times; `undefined` for any other text, and for whoever is no user.
 */
export async function memberOf(
  token: string,
  { tenant, members }: Organization,
  key: SigningKey,
  now: number,
): Promise<Identity | undefined> {
  const claims = await verified(token, key, now);
  if (claims?.iss !== `https://${CLOUDS[tenant.cloud].tokenIssuer}/${tenant.id}/`) return undefined;
  return members.find(
    ({ objectId, clientId }) =>
      claims['oid'] === objectId && claims['appid'] === clientId && claims['tid'] === tenant.id,
  );
}

async function verified(token: string, key: SigningKey, now: number): Promise<JWTPayload | undefined> {
  try {
    const { payload } = await jwtVerify(token, createLocalJWKSet({ keys: [key.jwk] }), {
      algorithms: ['RS256'],
      audience: AZURE_DEVOPS_APPLICATION,
      currentDate: new Date(now),
      requiredClaims: ['exp', 'nbf', 'iss', 'aud', 'oid', 'appid', 'tid'],
    });
    return payload;
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}
