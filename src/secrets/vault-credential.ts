import { PlumblineError } from '#core/errors.ts';
import { signerName, type VaultReader } from './vault-reader.ts';

/** The part of Azure Core's `TokenCredential` that a vault's client uses. */
interface VaultCredential {
  getToken(
    scopes: string | string[],
    options?: { tenantId?: string; abortSignal?: unknown },
  ): Promise<{ token: string; expiresOnTimestamp: number }>;
}

/** Who reads, for a vault's client. The vault says which tenant it trusts; another one cannot sign in there. */
export function vaultCredential(identity: VaultReader, address: string): VaultCredential {
  return {
    getToken: async (scopes, options) => {
      checkTenant(identity, address, options?.tenantId);
      const { token, expiresAt } = await identity.token([scopes].flat().join(' '), asSignal(options?.abortSignal));
      return { token: token.reveal(), expiresOnTimestamp: expiresAt };
    },
  };
}

function checkTenant(identity: VaultReader, address: string, wanted: string | undefined): void {
  const { tenantId } = identity;
  if (wanted === undefined || tenantId === undefined || wanted.toLowerCase() === tenantId.toLowerCase()) return;
  throw new PlumblineError(
    'ERR_SECRET_FORBIDDEN',
    `Cannot read from ${address}: it trusts tenant ${wanted}, ${signerName(identity)} signs in to tenant ${tenantId}`,
    {
      remedy:
        "Use a connection of the vault's tenant, and check the name of the vault: names are shared by all tenants.",
      details: { vault: address, vaultTenant: wanted, tenantId },
    },
  );
}

function asSignal(signal: unknown): AbortSignal | undefined {
  return signal instanceof AbortSignal ? signal : undefined;
}
