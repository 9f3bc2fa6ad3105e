import type { ServiceConnection } from '#core/connection.ts';
import type { Host } from '#core/host.ts';
import { parseSecretReference, type SecretReference } from '#secrets/secret-reference.ts';
import type { InputReader } from '../input-reader.ts';

/** Where the password or token lies that takes the place of the connection's own. */
export interface CredentialInputs {
  readonly secret: SecretReference;
  /** Name or URL of the vault. */
  readonly keyVault: string;
  /** Of the type AzureRM: who reads it. */
  readonly connection: ServiceConnection;
}

/** Which DAG of which Airflow, and how to sign in there. */
export interface AccessInputs {
  /** Of the type `plumbline-airflow`. */
  readonly connection: ServiceConnection;
  readonly dagId: string;
  readonly credential: CredentialInputs | undefined;
}

/** Airflow's own rule (`validate_key`): letters, digits, dashes, dots and underscores, at most 250. */
const DAG_ID = /^[\p{L}\p{N}_.-]{1,250}$/u;
const NAMED_DAG = 'the id of a DAG, such as daily_report';
const STORED = new Set(['Token', 'UsernamePassword']);

/** `undefined` when there is nothing to sign in with; the reader then has the problem. */
export function readAccess(reader: InputReader, host: Host): AccessInputs | undefined {
  const dagId = reader.matching('dagId', reader.required('dagId', NAMED_DAG), DAG_ID, NAMED_DAG);
  const connection = host.connections.selected('airflow');
  const credential = readCredential(reader, host, connection);
  if (connection !== undefined) return { connection, dagId, credential };
  reader.problem({ input: 'airflow', allowed: "a service connection of the type 'Airflow (Plumbline)'" });
  return undefined;
}

function readCredential(
  reader: InputReader,
  host: Host,
  airflow: ServiceConnection | undefined,
): CredentialInputs | undefined {
  const name = reader.text('credentialSecret');
  const keyVault = reader.text('keyVault');
  const connection = host.connections.selected('azureSubscription');
  if (name === undefined) return refuseRest(reader, keyVault, connection);
  const secret = parseSecretReference(name);
  if (secret === undefined) {
    const allowed = 'the name of a secret, or name/version with a version of 32 hexadecimal digits';
    reader.problem({ input: 'credentialSecret', given: '(not shown: it may be the secret itself)', allowed });
  }
  if (airflow !== undefined && !STORED.has(airflow.scheme)) {
    const allowed = 'nothing with a connection through a gateway, which gives short-lived tokens itself';
    reader.problem({ input: 'credentialSecret', given: '(a secret)', allowed });
  }
  const because = 'because of credentialSecret';
  if (keyVault === undefined)
    reader.problem({ input: 'keyVault', allowed: `the name or URL of a Key Vault, ${because}` });
  if (connection === undefined) {
    const allowed = `an AzureRM service connection with workload identity federation or a managed identity, ${because}`;
    reader.problem({ input: 'azureSubscription', allowed });
  }
  return secret && keyVault && connection ? { secret, keyVault, connection } : undefined;
}

/** Inputs without an effect are refused, so that nobody takes them for followed. */
function refuseRest(
  reader: InputReader,
  keyVault: string | undefined,
  connection: ServiceConnection | undefined,
): undefined {
  const allowed = 'nothing without credentialSecret';
  if (keyVault !== undefined) reader.problem({ input: 'keyVault', given: keyVault, allowed });
  if (connection !== undefined) reader.problem({ input: 'azureSubscription', given: connection.id, allowed });
}
