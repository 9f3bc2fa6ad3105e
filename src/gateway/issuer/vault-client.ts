import type { CryptographyClient, KeyClient, KeyVaultKey } from '@azure/keyvault-keys';
import { azureHttpClient } from '#http/azure-http-client.ts';
import type { Http } from '#http/http.ts';
import type { MachineIdentity } from '#identity/machine-identity.ts';
import { vaultAddress } from '#secrets/vault-address.ts';
import { vaultCredential } from '#secrets/vault-credential.ts';
import { publicKeyOf } from './issuer-key.ts';
import type { PublicKey } from './token-issuer.ts';

/** One enabled version of a vault's key that can sign with RS256. Times are milliseconds since the epoch. */
export interface VaultVersion {
  /** URL of the version. */
  readonly id: string;
  readonly jwk: PublicKey;
  readonly created: number;
  readonly notBefore?: number | undefined;
  readonly expires?: number | undefined;
}

/** One key of a vault. What goes wrong is thrown as it is; `vaultTrouble` words it. */
export interface VaultClient {
  versions(signal: AbortSignal): Promise<readonly VaultVersion[]>;
  /** RS256 of a SHA-256 digest, computed in the vault. */
  sign(id: string, digest: Uint8Array, signal: AbortSignal): Promise<Uint8Array>;
}

export interface VaultClientOptions {
  /** Name or URL. */
  readonly vault: string;
  readonly key: string;
  readonly identity: MachineIdentity;
  readonly http: Http;
}

const ANSWERS_WITHIN_MS = 5_000;
const LEAST_BITS = 2_048;

/** @throws {PlumblineError} `ERR_INPUT_INVALID`, `ERR_IDENTITY_HOST_NOT_ALLOWED` for what is no vault of the identity's cloud */
export function vaultClient({ vault, key: name, identity, http }: VaultClientOptions): VaultClient {
  const address = vaultAddress(vault, { cloud: identity.cloud });
  const credential = vaultCredential(identity, address);
  // Whoever asks for a token decides what is tried again, and when.
  const options = {
    httpClient: azureHttpClient(http, { timeoutMs: ANSWERS_WITHIN_MS, maxAttempts: 1 }),
    retryOptions: { maxRetries: 0 },
  };
  /** With the dates of the last list, which the client looks at too. */
  const known = new Map<string, KeyVaultKey>();
  const signers = new Map<string, CryptographyClient>();
  let lister: KeyClient | undefined;

  return {
    versions: async (abortSignal) => {
      const { keyClient } = await import('./vault-sdk.ts');
      lister ??= keyClient(address, credential, options);
      const found: VaultVersion[] = [];
      for await (const properties of lister.listPropertiesOfKeyVersions(name, { abortSignal })) {
        const { id, version, enabled } = properties;
        if (id === undefined || version === undefined || enabled !== true) continue;
        // Dates may change; the public part of a version never does.
        const read = known.get(id) ?? (await lister.getKey(name, { version, abortSignal }));
        const key = { ...read, properties };
        known.set(id, key);
        signers.delete(id);
        const usable = await usableVersion(key);
        if (usable !== undefined) found.push(usable);
      }
      return found;
    },
    sign: async (id, digest, abortSignal) => {
      const { cryptographyClient } = await import('./vault-sdk.ts');
      const signer = signers.get(id) ?? cryptographyClient(known.get(id) ?? id, credential, options);
      signers.set(id, signer);
      try {
        return (await signer.sign('RS256', digest, { abortSignal })).result;
      } catch (thrown) {
        // It may have been made for something else than signing.
        known.delete(id);
        throw thrown;
      }
    },
  };
}

async function usableVersion({
  id,
  key,
  keyType,
  properties,
  keyOperations,
}: KeyVaultKey): Promise<VaultVersion | undefined> {
  const { n, e } = key ?? {};
  const isRsa = keyType === 'RSA' || keyType === 'RSA-HSM';
  const isAllowed = keyOperations === undefined || keyOperations.includes('sign');
  if (id === undefined || !isRsa || !isAllowed || !n || !e || n.length * 8 < LEAST_BITS) return undefined;
  return {
    id,
    jwk: await publicKeyOf({ kty: 'RSA', n: base64url(n), e: base64url(e) }),
    created: properties.createdOn?.getTime() ?? 0,
    notBefore: properties.notBefore?.getTime(),
    expires: properties.expiresOn?.getTime(),
  };
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}
