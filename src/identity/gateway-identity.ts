import type { ServiceConnection, SystemConnection } from '#core/connection.ts';
import { PlumblineError } from '#core/errors.ts';
import type { OidcEndpoint } from './assertion.ts';
import { requestAssertion } from './assertion.ts';
import { connectionIdentity, type FederatedIdentity, type IdentitySurroundings } from './connection-identity.ts';
import { safeAddress } from './safe-address.ts';

/** Who a pipeline is towards a gateway, and how it proves it. */
export interface GatewayIdentity {
  /** `entra`: an access token of the connection's application. `pipeline`: the pipeline's own ID token. */
  readonly kind: 'entra' | 'pipeline';
  /** No slash at the end. */
  readonly url: string;
  /** Only with `entra`. */
  readonly federated: FederatedIdentity | undefined;
  /**
   * The headers that prove it, for one request: an ID token is good for one only, so each call asks for a new one.
   *
   * @throws {PlumblineError} `ERR_IDENTITY_*`, `ERR_HTTP_*`
   */
  headers(signal?: AbortSignal): Promise<Readonly<Record<string, string>>>;
}

/** `api://…`, or the client id of the gateway's application. An https URI could be another service, which would then trust the gateway. */
const AUDIENCE = /^(?:api:\/\/[A-Za-z0-9][\w.~/:-]{0,200}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;

/**
 * The identity that a connection of the type `plumbline-gateway` stands for. Asks nobody yet.
 *
 * With workload identity federation an Entra access token for the gateway is what is authorised, and the pipeline's own token
 * beside it signs the facts of the run: the connection's ID token itself never leaves for anybody but Entra ID, because whoever
 * receives it could become the connection. Without a scheme the pipeline's own token is both.
 *
 * @throws {PlumblineError} `ERR_CONNECTION_UNSUPPORTED`, `ERR_IDENTITY_HOST_NOT_ALLOWED`, `ERR_IDENTITY_OIDC_UNAVAILABLE`
 */
export function gatewayIdentity(connection: ServiceConnection, surroundings: IdentitySurroundings): GatewayIdentity {
  const url = gatewayUrl(connection);
  const pipeline = pipelineEndpoint(surroundings);
  const own = async (signal?: AbortSignal) => (await requestAssertion(pipeline, signal)).token.reveal();
  if (connection.scheme === 'None') {
    const headers = async (signal?: AbortSignal) => ({ authorization: `Bearer ${await own(signal)}` });
    return { kind: 'pipeline', url, federated: undefined, headers };
  }
  const federated = federatedIdentity(connection, surroundings);
  const scope = `${audienceOf(connection)}/.default`;
  return {
    kind: 'entra',
    url,
    federated,
    headers: async (signal) => {
      const [access, facts] = await Promise.all([federated.token(scope, signal), own(signal)]);
      return { authorization: `Bearer ${access.token.reveal()}`, 'plumbline-run-facts': facts };
    },
  };
}

function pipelineEndpoint({ system, variable, http, mask }: IdentitySurroundings): OidcEndpoint {
  return { system: system ?? noJob(), requestUri: variable('System.OidcRequestUri'), http, mask };
}

function noJob(): SystemConnection {
  throw new PlumblineError(
    'ERR_IDENTITY_OIDC_UNAVAILABLE',
    'Cannot get an ID token for this pipeline: there is no job of Azure Pipelines',
    { remedy: 'Run the step in a job of Azure Pipelines.' },
  );
}

function federatedIdentity(connection: ServiceConnection, surroundings: IdentitySurroundings): FederatedIdentity {
  if (connection.scheme === 'WorkloadIdentityFederation') {
    const identity = connectionIdentity(connection, surroundings);
    if (identity.kind === 'federated') return identity;
  }
  throw unusable(connection, `its scheme is '${connection.scheme}'`, SCHEMES);
}

function audienceOf(connection: ServiceConnection): string {
  const audience = connection
    .data('audience')
    ?.replace(/\/\.default$/, '')
    .replace(/\/$/, '');
  if (audience !== undefined && AUDIENCE.test(audience)) return audience;
  throw unusable(
    connection,
    audience === undefined ? "it has no 'audience'" : "its 'audience' is neither an api:// URI nor a client id",
    "Enter the application ID URI of the gateway's app registration, for example api://plumbline-gateway.",
  );
}

/** Tokens go over https; over http they go to this machine only. */
function gatewayUrl(connection: ServiceConnection): string {
  const address = safeAddress(connection.url);
  if ('url' in address) return address.url;
  throw unusable(connection, address.why, ADDRESS);
}

const SCHEMES =
  "Choose a connection of the type 'Plumbline gateway' with workload identity federation, or with no authentication for the pipeline's own token.";
const ADDRESS = 'Enter the address of the gateway as https://host, with nothing behind it but a path.';

function unusable(connection: ServiceConnection, why: string, remedy: string): PlumblineError {
  return new PlumblineError('ERR_CONNECTION_UNSUPPORTED', `Cannot use gateway connection ${connection.id}: ${why}`, {
    remedy,
    details: { connection: connection.id, scheme: connection.scheme },
  });
}
