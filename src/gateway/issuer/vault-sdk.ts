import { CryptographyClient, type CryptographyClientOptions, KeyClient, type KeyVaultKey } from '@azure/keyvault-keys';

// Loaded by a dynamic import when first needed: a gateway with its keys on disk never does.

type Credential = ConstructorParameters<typeof KeyClient>[1];

export function keyClient(address: string, credential: Credential, options: CryptographyClientOptions): KeyClient {
  return new KeyClient(address, credential, options);
}

/** @param key one version, or its URL */
export function cryptographyClient(
  key: KeyVaultKey | string,
  credential: Credential,
  options: CryptographyClientOptions,
): CryptographyClient {
  return new CryptographyClient(key, credential, options);
}
