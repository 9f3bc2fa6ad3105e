import type { Host } from '#core/host.ts';
import { createHttp } from '#http/http.ts';
import { type AirflowIdentity, airflowIdentity } from '#identity/airflow-identity.ts';
import { connectionIdentity, type IdentitySurroundings } from '#identity/connection-identity.ts';
import type { SecretUse } from '#report/schema.ts';
import { keyVault } from '#secrets/key-vault.ts';
import { vaultAddress } from '#secrets/vault-address.ts';
import type { Delivery } from '../deliver.ts';
import { identityFacts } from '../identity-facts.ts';
import type { AccessInputs, CredentialInputs } from './access-inputs.ts';

/** Who the step is towards an Airflow. `grants` is what the report tells of it, the secret once it was read. */
export interface SignIn {
  readonly identity: AirflowIdentity;
  grants(): Delivery['grants'];
}

/** Asks nobody yet. @throws {PlumblineError} as {@link airflowIdentity} and `connectionIdentity` */
export function signIn({ connection, credential }: AccessInputs, host: Host): SignIn {
  const http = createHttp(host.network, { log: host.log });
  const { mask, variable } = host;
  const surroundings: IdentitySurroundings = { system: host.connections.system(), variable, http, mask };
  if (credential !== undefined) return withCredential({ connection, credential }, surroundings, host);
  const identity = airflowIdentity(connection, surroundings);
  const federated = identity.gateway?.federated;
  return {
    identity,
    grants: () => ({ identity: federated && identityFacts(federated, connection), uses: [] }),
  };
}

/** The token or password is read from Key Vault when it is first needed, and anew when Airflow refused it. */
function withCredential(
  { connection, credential }: Pick<AccessInputs, 'connection'> & { readonly credential: CredentialInputs },
  surroundings: IdentitySurroundings,
  host: Host,
): SignIn {
  const reader = connectionIdentity(credential.connection, surroundings);
  const address = vaultAddress(credential.keyVault, {
    cloud: reader.cloud,
    dnsSuffix: credential.connection.data('AzureKeyVaultDnsSuffix'),
  });
  const { http, mask } = surroundings;
  const target = connection.scheme === 'Token' ? "Airflow's token" : "Airflow's password";
  let use: SecretUse | undefined;
  const warned = new Set<string>();
  const readCredential = async (signal: AbortSignal) => {
    const [secret] = await keyVault({ address, identity: reader, http, mask }).read([credential.secret], signal);
    if (secret === undefined) throw new TypeError('The vault gave fewer secrets than it was asked for.');
    use = { vault: secret.vault, name: secret.name, version: secret.version, target };
    for (const message of secret.warnings) {
      if (!warned.has(message)) host.issue({ type: 'warning', message });
      warned.add(message);
    }
    return secret.value;
  };
  return {
    identity: airflowIdentity(connection, { ...surroundings, readCredential }),
    grants: () => ({ identity: identityFacts(reader, credential.connection), uses: use ? [use] : [] }),
  };
}
