import type { PlumblineError } from '#core/errors.ts';
import type { Host } from '#core/host.ts';
import type { Secret } from '#core/secret.ts';
import { createHttp } from '#http/http.ts';
import { type ConnectionIdentity, connectionIdentity } from '#identity/connection-identity.ts';
import { type RenewalProblem, startTokenFile, type TokenFile, variablesBeforeTokenFile } from '#identity/token-file.ts';
import type { IdentityFacts, SecretUse } from '#report/schema.ts';
import { keyVault, type VaultSecret } from '#secrets/key-vault.ts';
import { vaultAddress } from '#secrets/vault-address.ts';
import { identityFacts } from '../identity-facts.ts';
import { stateDirectory } from '../state-directory.ts';
import type { RunLuigiInputs } from './inputs.ts';
import type { SecretBinding } from './secret-bindings.ts';

/** What the connection gives to the run. `close` ends it. */
export interface Grants {
  readonly identity: IdentityFacts | undefined;
  readonly uses: readonly SecretUse[];
  readonly parameters: Readonly<Record<string, Secret>>;
  readonly variables: Readonly<Record<string, Secret>>;
  readonly files: Readonly<Record<string, Secret>>;
  /** Variables without secrets, e.g. where the token file is. */
  readonly environment: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/**
 * Signs in as the service connection, reads the secrets, and keeps a token file if the tasks are to have the identity.
 * Nothing is asked of anybody when no connection is given.
 * @param onRefused called when the identity is refused while the run lasts; a renewal that only fails is a warning
 * @throws {PlumblineError} `ERR_CONNECTION_*`, `ERR_IDENTITY_*`, `ERR_SECRET_*`, `ERR_VAULT_*`, `ERR_HTTP_*`
 */
export async function openGrants(
  inputs: RunLuigiInputs,
  host: Host,
  signal: AbortSignal,
  onRefused: (error: PlumblineError) => void,
): Promise<Grants> {
  const { connection } = inputs;
  if (connection === undefined) return { ...NOTHING, close: async () => {} };
  const identity = identityOf(inputs, host);
  const read = await readSecrets(inputs, identity, host, signal);
  const tokenFile =
    inputs.taskIdentity === 'connection' ? await openTokenFile(identity, host, signal, onRefused) : undefined;
  return {
    identity: identity && identityFacts(identity, connection),
    uses: read.map(({ binding, secret }) => useOf(binding, secret)),
    parameters: given(read, 'parameter'),
    variables: given(read, 'environment'),
    files: given(read, 'file'),
    environment: tokenFile?.environment ?? managedEnvironment(identity, inputs),
    close: async () => tokenFile?.stop(),
  };
}

const NOTHING = { identity: undefined, uses: [], parameters: {}, variables: {}, files: {}, environment: {} } as const;

function identityOf({ connection }: RunLuigiInputs, host: Host): ConnectionIdentity {
  if (connection === undefined) throw new TypeError('There is no connection to take an identity from.');
  return connectionIdentity(connection, {
    system: host.connections.system(),
    variable: host.variable,
    http: createHttp(host.network, { log: host.log }),
    mask: host.mask,
  });
}

interface ReadSecret {
  readonly binding: SecretBinding;
  readonly secret: VaultSecret;
}

async function readSecrets(
  { keyVault: vault, secrets: bindings, connection }: RunLuigiInputs,
  identity: ConnectionIdentity,
  host: Host,
  signal: AbortSignal,
): Promise<readonly ReadSecret[]> {
  if (vault === undefined || bindings.length === 0) return [];
  const address = vaultAddress(vault, { cloud: identity.cloud, dnsSuffix: connection?.data('AzureKeyVaultDnsSuffix') });
  const http = createHttp(host.network, { log: host.log });
  const references = bindings.map(({ secret }) => secret);
  const found = await keyVault({ address, identity, http, mask: host.mask }).read(references, signal);
  for (const message of new Set(found.flatMap(({ warnings }) => warnings))) host.issue({ type: 'warning', message });
  return bindings.map((binding, index) => ({ binding, secret: found[index] as VaultSecret }));
}

async function openTokenFile(
  identity: ConnectionIdentity,
  host: Host,
  signal: AbortSignal,
  onRefused: (error: PlumblineError) => void,
): Promise<TokenFile | undefined> {
  if (identity.kind === 'managed') return undefined;
  const preferred = variablesBeforeTokenFile(process.env);
  if (preferred.length > 0) {
    const message = `DefaultAzureCredential will not use the task identity, because the environment has ${preferred.join(', ')}`;
    host.issue({ type: 'warning', message: `${message}. Remove these variables from the step.` });
  }
  return startTokenFile({
    identity,
    directory: stateDirectory(host),
    report: renewalReport(host, onRefused),
    signal,
  });
}

/** A renewal that is refused ends the run; one that only fails is told, because the last token still works for a while. */
export function renewalReport(host: Pick<Host, 'issue'>, onRefused: (error: PlumblineError) => void) {
  return ({ error }: Pick<RenewalProblem, 'error'>): void => {
    if (error.code.startsWith('ERR_IDENTITY_') && error.details['passing'] !== true) onRefused(error);
    else host.issue({ type: 'warning', message: error.message, code: error.code });
  };
}

/** User code on a machine with a managed identity asks the machine itself; it only has to know which one. */
function managedEnvironment(identity: ConnectionIdentity, { taskIdentity }: RunLuigiInputs): Record<string, string> {
  if (taskIdentity !== 'connection' || identity.kind !== 'managed' || !identity.clientId) return {};
  return { AZURE_CLIENT_ID: identity.clientId };
}

function useOf({ target, name }: SecretBinding, { vault, name: secret, version }: VaultSecret): SecretUse {
  return { vault, name: secret, version, target: target === 'environment' ? name : `${target} ${name}` };
}

function given(read: readonly ReadSecret[], target: SecretBinding['target']): Record<string, Secret> {
  const ours = read.filter(({ binding }) => binding.target === target);
  return Object.fromEntries(ours.map(({ binding, secret }) => [binding.name, secret.value]));
}
