import { randomBytes } from 'node:crypto';
import { CLOUDS, vaultResource } from './clouds.ts';
import { EntraError } from './entra-error.ts';
import { AZURE_DEVOPS_APPLICATION, entraIssuer } from './federation.ts';
import type { SigningKey } from './signing-key.ts';
import type { Identity, World } from './world.ts';

const APPLICATION_SECONDS = 3_599;
const MANAGED_IDENTITY_SECONDS = 86_399;

export interface AccessToken {
  readonly token: string;
  /** Seconds. */
  readonly expiresIn: number;
}

interface Resource {
  readonly audience: string;
  readonly version: 1 | 2;
}

/**
 * An access token for a resource that exists in the identity's tenant, shaped as that resource asks for (version 1 for Azure's own).
 *
 * @param resource an application id URI, a client id or an Azure service, as it stood before `/.default`.
 * @param appAuth how the client proved itself: `2` an assertion or managed identity.
 * @throws EntraError 500011 for a resource that the tenant does not know.
 */
export async function issueAccessToken(
  identity: Identity,
  resource: string,
  world: World,
  key: SigningKey,
  now: number,
): Promise<AccessToken> {
  const found = findResource(resource, identity, world);
  if (found === undefined) {
    throw new EntraError(
      500011,
      `The resource principal named ${resource} was not found in the tenant named ${identity.tenant.name}. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You might have sent your authentication request to the wrong tenant.`,
    );
  }
  const expiresIn =
    world.lifetimes.accessToken ??
    (identity.kind === 'managedIdentity' ? MANAGED_IDENTITY_SECONDS : APPLICATION_SECONDS);
  return { token: await key.sign(claims(identity, found, Math.floor(now / 1_000), expiresIn)), expiresIn };
}

function claims(
  identity: Identity,
  { audience, version }: Resource,
  now: number,
  expiresIn: number,
): Record<string, unknown> {
  const { tenant, clientId, objectId } = identity;
  const cloud = CLOUDS[tenant.cloud];
  const shared = {
    aud: audience,
    iat: now,
    nbf: now,
    exp: now + expiresIn,
    oid: objectId,
    sub: objectId,
    tid: tenant.id,
    uti: randomBytes(16).toString('base64url'),
    idtyp: 'app',
  };
  if (version === 2)
    return { ...shared, iss: entraIssuer(cloud.login, tenant.id), azp: clientId, azpacr: '2', ver: '2.0' };
  const issuer = `https://${cloud.tokenIssuer}/${tenant.id}/`;
  return { ...shared, iss: issuer, idp: issuer, appid: clientId, appidacr: '2', ver: '1.0' };
}

function findResource(resource: string, identity: Identity, world: World): Resource | undefined {
  const cloud = CLOUDS[identity.tenant.cloud];
  const known = [vaultResource(identity.tenant.cloud), cloud.management, cloud.graph, AZURE_DEVOPS_APPLICATION];
  const bare = resource.replace(/\/$/, '');
  if (known.some((each) => each.replace(/\/$/, '') === bare)) return { audience: resource, version: 1 };
  const api = world.identities.find(
    ({ tenant, clientId, identifierUris }) =>
      tenant.id === identity.tenant.id &&
      (clientId === bare || identifierUris.includes(bare)) &&
      identifierUris.length > 0,
  );
  if (api === undefined) return undefined;
  return { audience: api.accessTokenVersion === 2 ? api.clientId : bare, version: api.accessTokenVersion };
}
