import { type Clock, systemClock } from '#core/clock.ts';
import type { ServiceConnection, SystemConnection } from '#core/connection.ts';
import { PlumblineError } from '#core/errors.ts';
import type { Secret } from '#core/secret.ts';
import type { Http } from '#http/http.ts';
import { type Assertion, requestAssertion } from './assertion.ts';
import { type Cloud, cloudOf } from './cloud.ts';
import { exchangedToken } from './federated-token.ts';
import { managedIdentityToken } from './managed-identity-token.ts';
import { createTokenCache, type TokenCache } from './token-cache.ts';

/** Whom a service connection speaks for. `token` is cached for each scope and renewed in time. */
export type ConnectionIdentity = FederatedIdentity | ManagedIdentity;

/** An application or user-assigned managed identity that trusts the connection's ID token. */
export interface FederatedIdentity extends TokenCache {
  readonly kind: 'federated';
  readonly connectionId: string;
  readonly tenantId: string;
  readonly clientId: string;
  readonly cloud: Cloud;
  /** A new ID token of the connection. Errors as in {@link requestAssertion}. */
  assertion(signal?: AbortSignal): Promise<Assertion>;
}

/** The managed identity of the agent's own machine. */
export interface ManagedIdentity extends TokenCache {
  readonly kind: 'managed';
  readonly connectionId: string;
  readonly tenantId: string | undefined;
  /** Only for a user-assigned identity. */
  readonly clientId: string | undefined;
  readonly cloud: Cloud;
}

export interface IdentitySurroundings {
  /** The job's connection; `undefined` outside a job. */
  readonly system: SystemConnection | undefined;
  /** A pipeline variable by its dotted name. */
  readonly variable: (name: string) => string | undefined;
  readonly http: Http;
  /** Called with each token on the line after it arrived. */
  readonly mask: (secret: Secret) => void;
  readonly clock?: Clock | undefined;
}

/**
 * The identity of an Azure Resource Manager connection. Asks nobody yet: a token is fetched when first needed.
 *
 * @throws {PlumblineError} `ERR_CONNECTION_STORED_SECRET`, `ERR_CONNECTION_UNSUPPORTED`, `ERR_IDENTITY_HOST_NOT_ALLOWED`.
 *   `token` throws `ERR_IDENTITY_REJECTED`, `ERR_IDENTITY_OIDC_UNAVAILABLE`, `ERR_HTTP_*`.
 */
export function connectionIdentity(
  connection: ServiceConnection,
  surroundings: IdentitySurroundings,
): ConnectionIdentity {
  const cloud = cloudOf(connection);
  if (connection.scheme === 'WorkloadIdentityFederation') return federated(connection, cloud, surroundings);
  if (connection.scheme === 'ManagedServiceIdentity') return managed(connection, cloud, surroundings);
  throw connection.scheme === 'ServicePrincipal' ? storedSecret(connection) : unsupported(connection);
}

function federated(connection: ServiceConnection, cloud: Cloud, surroundings: IdentitySurroundings): FederatedIdentity {
  const { system, variable, http, mask, clock = systemClock } = surroundings;
  if (system === undefined) throw outsideJob(connection);
  const tenantId = required(connection, 'tenantid');
  const clientId = required(connection, 'serviceprincipalid');
  const endpoint = { connection, system, requestUri: variable('System.OidcRequestUri'), http, mask };
  const assertion = (signal?: AbortSignal) => requestAssertion(endpoint, signal);
  const exchange = { connection, tenantId, clientId, authority: cloud.authority };
  const fetch = async (scope: string) => exchangedToken(exchange, await assertion(), scope, { http, mask });
  return {
    kind: 'federated',
    connectionId: connection.id,
    tenantId,
    clientId,
    cloud,
    assertion,
    ...createTokenCache(fetch, clock),
  };
}

function managed(connection: ServiceConnection, cloud: Cloud, surroundings: IdentitySurroundings): ManagedIdentity {
  const { http, mask, clock = systemClock } = surroundings;
  const clientId = connection.data('msiclientId');
  const fetch = (scope: string) => managedIdentityToken(connection, clientId, scope, { http, mask });
  return {
    kind: 'managed',
    connectionId: connection.id,
    tenantId: connection.parameter('tenantid'),
    clientId,
    cloud,
    ...createTokenCache(fetch, clock),
  };
}

function required(connection: ServiceConnection, parameter: string): string {
  const value = connection.parameter(parameter);
  if (value) return value;
  throw new PlumblineError(
    'ERR_CONNECTION_UNSUPPORTED',
    `Cannot use service connection ${connection.id}: it has no '${parameter}'`,
    {
      remedy:
        'Complete the connection in the project settings (a draft is not finished until it is verified and saved).',
      details: { connection: connection.id, parameter },
    },
  );
}

function storedSecret(connection: ServiceConnection): PlumblineError {
  const kind =
    connection.parameter('authenticationtype')?.toLowerCase() === 'spncertificate' ? 'certificate' : 'secret';
  return new PlumblineError(
    'ERR_CONNECTION_STORED_SECRET',
    `Will not use service connection ${connection.id}: it stores a ${kind} in Azure DevOps`,
    {
      remedy:
        "Convert it: Project settings > Service connections > the connection > 'Convert' (to workload identity federation); pipelines keep working. By hand: add a federated credential to the app registration and edit the connection (docs/azure-setup.md).",
      details: { connection: connection.id, scheme: connection.scheme },
    },
  );
}

function unsupported(connection: ServiceConnection): PlumblineError {
  return new PlumblineError(
    'ERR_CONNECTION_UNSUPPORTED',
    `Cannot use service connection ${connection.id}: its scheme is '${connection.scheme}'`,
    {
      remedy: 'Choose an Azure Resource Manager connection with workload identity federation or a managed identity.',
      details: { connection: connection.id, scheme: connection.scheme },
    },
  );
}

function outsideJob(connection: ServiceConnection): PlumblineError {
  return new PlumblineError(
    'ERR_IDENTITY_OIDC_UNAVAILABLE',
    `Cannot get an ID token for service connection ${connection.id}: there is no job of Azure Pipelines`,
    { remedy: 'Run the step in a job of Azure Pipelines.', details: { connection: connection.id } },
  );
}
