import {
  ClientAssertionCredential,
  ManagedIdentityCredential,
  type TokenCredential,
  type TokenCredentialOptions,
} from '@azure/identity';
import { SecretClient } from '@azure/keyvault-secrets';

// Loaded by a dynamic import when first needed, and bundled as a file of its own. It therefore
// imports packages and types only: a room of ours imported here would exist twice in one process.

/** The credential of a federated identity: `getAssertion` gives the token that Entra exchanges. */
export function clientAssertionCredential(
  ...args: ConstructorParameters<typeof ClientAssertionCredential>
): TokenCredential {
  return new ClientAssertionCredential(...args);
}

/** The managed identity of the machine; `clientId` names a user-assigned one. */
export function managedIdentityCredential(
  clientId: string | undefined,
  options: TokenCredentialOptions,
): TokenCredential {
  return clientId === undefined
    ? new ManagedIdentityCredential(options)
    : new ManagedIdentityCredential(clientId, options);
}

export function secretClient(...args: ConstructorParameters<typeof SecretClient>): SecretClient {
  return new SecretClient(...args);
}
