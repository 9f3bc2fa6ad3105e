import { createLocalJWKSet, errors, type JWTPayload, jwtVerify } from 'jose';
import { CLOUDS, vaultResource } from './clouds.ts';
import type { SigningKey } from './signing-key.ts';
import { VaultError } from './vault-error.ts';
import type { Vault } from './world.ts';

/** Application id of Key Vault, accepted as an audience beside its address. */
const VAULT_APPLICATION = 'cfa8b339-82a2-471a-a3c9-0fc0be7a4093';

export interface VaultCaller {
  readonly clientId: string;
  readonly objectId: string;
  readonly issuer: string;
}

/**
 * Who a bearer token says the caller is, after the checks that Key Vault makes: signature, issuer of the vault's tenant
 * (version 1), audience, times.
 *
 * @throws VaultError 401 otherwise.
 */
export async function authenticateCaller(
  token: string | undefined,
  vault: Vault,
  key: SigningKey,
  now: number,
): Promise<VaultCaller> {
  if (token === undefined) throw unauthorized('AKV10000: Request is missing a Bearer or PoP token.');
  const issuer = `https://${CLOUDS[vault.tenant.cloud].tokenIssuer}/${vault.tenant.id}/`;
  const claims = await verified(token, key, now);
  if (claims.iss !== issuer)
    throw unauthorized(`AKV10032: Invalid issuer. Expected one of ${issuer}, found ${claims.iss}.`);
  checkAudience(claims, vaultResource(vault.tenant.cloud));
  return { clientId: String(claims['appid']), objectId: String(claims['oid']), issuer };
}

/** The challenge from which clients learn tenant and resource. */
export function challenge(vault: Vault): Record<string, string> {
  const { login } = CLOUDS[vault.tenant.cloud];
  return {
    'www-authenticate': `Bearer authorization="https://${login}/${vault.tenant.id}", resource="${vaultResource(vault.tenant.cloud)}"`,
  };
}

async function verified(token: string, key: SigningKey, now: number): Promise<JWTPayload> {
  try {
    const keys = createLocalJWKSet({ keys: [key.jwk] });
    const { payload } = await jwtVerify(token, keys, {
      algorithms: ['RS256'],
      currentDate: new Date(now),
      requiredClaims: ['exp', 'nbf', 'iss', 'aud', 'oid'],
    });
    return payload;
  } catch (error) {
    throw unauthorized(tokenProblem(error));
  }
}

function tokenProblem(error: unknown): string {
  if (
    error instanceof errors.JWTExpired ||
    (error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf')
  ) {
    return "[TokenExpired] Error validating token: 'S2S12086'.";
  }
  if (error instanceof errors.JWKSNoMatchingKey)
    return 'AKV10046: Unable to resolve the key used for signature validation.';
  return "[InvalidToken] Error validating token: 'S2S12005'.";
}

function checkAudience({ aud }: JWTPayload, resource: string): void {
  const audiences = [aud].flat().map((each) => String(each).replace(/\/$/, ''));
  if (audiences.some((each) => each === resource || each === VAULT_APPLICATION)) return;
  throw unauthorized(`AKV10022: Invalid audience. Expected ${resource}, found: ${String(aud)}.`);
}

function unauthorized(message: string): VaultError {
  return new VaultError(401, 'Unauthorized', message);
}
