import type { Clock } from '#core/clock.ts';
import type { ServiceConnection } from '#core/connection.ts';
import { PlumblineError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';
import {
  type AirflowCredentials,
  fixedSecret,
  readSecret,
  type SecretSource,
  tokenCredentials,
} from './airflow-credentials.ts';
import { gatewayTokenCredentials } from './airflow-gateway-token.ts';
import { loginCredentials } from './airflow-login.ts';
import type { IdentitySurroundings } from './connection-identity.ts';
import { type GatewayIdentity, gatewayIdentity } from './gateway-identity.ts';
import { safeAddress } from './safe-address.ts';

/** How a connection of the type `plumbline-airflow` signs in. */
export interface AirflowIdentity {
  readonly kind: 'token' | 'basic' | 'gateway';
  /** Of the Airflow; no slash at the end. */
  readonly url: string;
  /** Only with `gateway`. */
  readonly gateway: GatewayIdentity | undefined;
  /** The connection keeps the token or password in Azure DevOps, and it is used. */
  readonly stored: boolean;
  readonly credentials: AirflowCredentials;
}

export interface AirflowIdentitySurroundings extends IdentitySurroundings {
  /** Reads the token or password that takes the place of the connection's own; asked again after it was refused. */
  readonly readCredential?: ((signal: AbortSignal) => Promise<Secret>) | undefined;
  readonly clock?: Clock | undefined;
}

const NAME = /^[a-z][a-z0-9-]{0,62}$/;

/**
 * The identity that a connection to an Airflow stands for: a token, a user name with a password, or whatever a gateway gives for
 * the pipeline's own identity. Asks nobody yet.
 *
 * @throws {PlumblineError} `ERR_CONNECTION_UNSUPPORTED`, and for a gateway what {@link gatewayIdentity} throws
 */
export function airflowIdentity(
  connection: ServiceConnection,
  surroundings: AirflowIdentitySurroundings,
): AirflowIdentity {
  const url = addressOf(connection, connection.url, AIRFLOW_ADDRESS);
  switch (connection.scheme) {
    case 'Token':
      return { kind: 'token', url, gateway: undefined, ...withToken(connection, surroundings) };
    case 'UsernamePassword':
      return { kind: 'basic', url, gateway: undefined, ...withPassword(connection, url, surroundings) };
    case 'WorkloadIdentityFederation':
    case 'None':
      return { kind: 'gateway', url, stored: false, ...behindGateway(connection, url, surroundings) };
    default:
      throw unusable(connection, `its scheme is '${connection.scheme}'`, SCHEMES);
  }
}

type Credentialed = Pick<AirflowIdentity, 'stored' | 'credentials'>;

function withToken(connection: ServiceConnection, surroundings: AirflowIdentitySurroundings): Credentialed {
  const { source, stored } = sourceOf(connection, 'apitoken', surroundings);
  return { stored, credentials: tokenCredentials(source, surroundings.mask) };
}

function withPassword(
  connection: ServiceConnection,
  url: string,
  surroundings: AirflowIdentitySurroundings,
): Credentialed {
  const username = connection.parameter('username');
  if (username === undefined) throw unusable(connection, 'it has no user name', COMPLETE);
  const { source: password, stored } = sourceOf(connection, 'password', surroundings);
  const { http, mask, clock } = surroundings;
  return { stored, credentials: loginCredentials({ url, username, password, http, mask, clock }) };
}

function sourceOf(
  connection: ServiceConnection,
  parameter: 'apitoken' | 'password',
  { readCredential }: AirflowIdentitySurroundings,
): { readonly source: SecretSource; readonly stored: boolean } {
  if (readCredential !== undefined) return { source: readSecret(readCredential), stored: false };
  const value = connection.parameter(parameter);
  if (value === undefined) throw unusable(connection, `it has no '${parameter}'`, COMPLETE);
  return { source: fixedSecret(new Secret(value)), stored: true };
}

function behindGateway(
  connection: ServiceConnection,
  airflowUrl: string,
  surroundings: AirflowIdentitySurroundings,
): Pick<AirflowIdentity, 'gateway' | 'credentials'> {
  const name = connection.data('airflowName') ?? '';
  if (!NAME.test(name)) throw unusable(connection, `its name of the Airflow is '${name.slice(0, 80)}'`, AIRFLOW_NAME);
  const url = addressOf(connection, connection.data('gatewayUrl') ?? '', GATEWAY_ADDRESS);
  const gateway = gatewayIdentity({ ...connection, url }, surroundings);
  const { http, mask, clock } = surroundings;
  return { gateway, credentials: gatewayTokenCredentials({ gateway, name, airflowUrl, http, mask, clock }) };
}

function addressOf(connection: ServiceConnection, text: string, remedy: string): string {
  const address = safeAddress(text);
  if ('url' in address) return address.url;
  const why = remedy === GATEWAY_ADDRESS ? `the address of its gateway cannot be used: ${address.why}` : address.why;
  throw unusable(connection, why, remedy);
}

const SCHEMES =
  "Choose a connection of the type 'Airflow (Plumbline)' with a token, a user name and password, or a gateway's workload identity federation.";
const COMPLETE =
  'Complete the connection in the project settings, or name a secret of a Key Vault in the input credentialSecret.';
const AIRFLOW_ADDRESS =
  'Enter the address of the Airflow as https://host, with nothing behind it but a path. Over http only this machine is spoken to.';
const GATEWAY_ADDRESS = 'Enter the address of the gateway as https://host, with nothing behind it but a path.';
const AIRFLOW_NAME = "Enter the name under 'airflow:' in the gateway's configuration.";

function unusable(connection: ServiceConnection, why: string, remedy: string): PlumblineError {
  return new PlumblineError('ERR_CONNECTION_UNSUPPORTED', `Cannot use Airflow connection ${connection.id}: ${why}`, {
    remedy,
    details: { connection: connection.id, scheme: connection.scheme },
  });
}
