import type { Clock } from '#core/clock.ts';
import { issueAccessToken } from './access-token.ts';
import { type PublishedKeys, verifyClientAssertion } from './client-assertion.ts';
import { CLOUDS, loginHosts } from './clouds.ts';
import { EntraError, entraErrorReply } from './entra-error.ts';
import type { Incoming, Reply, Service } from './exchange.ts';
import { entraIssuer } from './federation.ts';
import type { SigningKey } from './signing-key.ts';
import type { Identity, Tenant, World } from './world.ts';

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export interface EntraOptions {
  readonly world: World;
  readonly key: SigningKey;
  /** Keys of the issuers that federated credentials may name. */
  readonly publishedKeys: PublishedKeys;
  readonly clock: Clock;
}

/** Entra's sign-in host of every cloud: discovery, keys and the token endpoint for client credentials with an assertion. */
export class Entra implements Service {
  readonly #options: EntraOptions;

  constructor(options: EntraOptions) {
    this.#options = options;
  }

  async handle(request: Incoming): Promise<Reply> {
    try {
      return await this.#route(request);
    } catch (error) {
      if (error instanceof EntraError) return entraErrorReply(error, request.host, this.#options.clock.now());
      throw error;
    }
  }

  failure(status: number, request: Incoming): Reply {
    const reply = entraErrorReply(
      new EntraError(90033, 'A transient error has occurred. Please try again.'),
      request.host,
      this.#options.clock.now(),
    );
    return { ...reply, status, body: { ...(reply.body as object), error: 'temporarily_unavailable' } };
  }

  async #route({ method, host, url, body, headers }: Incoming): Promise<Reply> {
    const [tenantName = '', ...rest] = url.pathname.split('/').filter(Boolean);
    const path = rest.join('/');
    if (method === 'GET' && path === 'discovery/instance') return this.#instanceDiscovery(host);
    if (method === 'GET' && path === 'discovery/v2.0/keys')
      return { status: 200, body: { keys: [this.#options.key.jwk] } };
    if (method === 'GET' && path === 'v2.0/.well-known/openid-configuration')
      return { status: 200, body: discovery(host, this.#tenant(tenantName, host)) };
    if (method === 'POST' && path === 'oauth2/v2.0/token') {
      if (!String(headers['content-type']).startsWith('application/x-www-form-urlencoded'))
        throw new EntraError(900144, missing('grant_type'));
      return this.#token(this.#tenant(tenantName, host), new URLSearchParams(body.toString('utf8')));
    }
    return { status: 404 };
  }

  #instanceDiscovery(host: string): Reply {
    const [tenant] = this.#options.world.tenants as [Tenant];
    const aliases = Object.values(CLOUDS).map(({ login }) => ({
      preferred_network: login,
      preferred_cache: login,
      aliases: [login],
    }));
    const endpoint = `https://${host}/${tenant.id}/v2.0/.well-known/openid-configuration`;
    return { status: 200, body: { tenant_discovery_endpoint: endpoint, 'api-version': '1.1', metadata: aliases } };
  }

  #tenant(name: string, host: string): Tenant {
    const found = this.#options.world.tenants.find(
      (tenant) => tenant.id === name.toLowerCase() && loginHosts(tenant.cloud).includes(host),
    );
    if (found !== undefined) return found;
    if (!GUID.test(name) && !name.includes('.')) {
      throw new EntraError(
        900023,
        `Specified tenant identifier '${name}' is neither a valid DNS name, nor a valid external domain.`,
      );
    }
    throw new EntraError(
      90002,
      `Tenant '${name}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud. Check with your subscription administrator, this may happen if there are no active subscriptions for the tenant.`,
    );
  }

  async #token(tenant: Tenant, form: URLSearchParams): Promise<Reply> {
    const { world, publishedKeys, clock, key } = this.#options;
    const identity = this.#client(tenant, form);
    const assertion = presentedAssertion(form);
    await verifyClientAssertion(assertion, identity, publishedKeys, clock.now());
    const { token, expiresIn } = await issueAccessToken(identity, requestedResource(form), world, key, clock.now());
    const body = { token_type: 'Bearer', expires_in: expiresIn, ext_expires_in: expiresIn, access_token: token };
    return { status: 200, headers: { 'cache-control': 'no-store, no-cache' }, body };
  }

  #client(tenant: Tenant, form: URLSearchParams): Identity {
    const grant = form.get('grant_type');
    if (grant === null) throw new EntraError(900144, missing('grant_type'));
    const clientId = form.get('client_id');
    if (clientId === null) throw new EntraError(900144, missing('client_id'));
    const found = this.#options.world.identities.find(
      (identity) => identity.tenant.id === tenant.id && identity.clientId === clientId.toLowerCase(),
    );
    if (found === undefined) {
      throw new EntraError(
        700016,
        `Application with identifier '${clientId}' was not found in the directory '${tenant.name}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant. You may have sent your authentication request to the wrong tenant.`,
      );
    }
    if (grant !== 'client_credentials')
      throw new EntraError(70003, `The app requested an unsupported grant type '${grant}'.`);
    return found;
  }
}

function presentedAssertion(form: URLSearchParams): string {
  if (form.has('client_secret'))
    throw new EntraError(
      7000215,
      'Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID.',
    );
  const assertion = form.get('client_assertion');
  if (assertion === null || form.get('client_assertion_type') !== ASSERTION_TYPE) {
    throw new EntraError(
      7000218,
      "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    );
  }
  return assertion;
}

function requestedResource(form: URLSearchParams): string {
  const scope = form.get('scope') ?? '';
  const resource = scope.split(' ').find((each) => each.endsWith('/.default'));
  if (resource !== undefined) return resource.slice(0, -'/.default'.length);
  throw new EntraError(
    1002012,
    `The provided value for scope ${scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI).`,
  );
}

function missing(parameter: string): string {
  return `The request body must contain the following parameter: '${parameter}'.`;
}

/** The fields that Entra publishes for a tenant. */
function discovery(host: string, { id, cloud }: Tenant): Record<string, unknown> {
  const base = `https://${host}/${id}`;
  return {
    token_endpoint: `${base}/oauth2/v2.0/token`,
    token_endpoint_auth_methods_supported: ['client_secret_post', 'private_key_jwt', 'client_secret_basic'],
    jwks_uri: `${base}/discovery/v2.0/keys`,
    response_modes_supported: ['query', 'fragment', 'form_post'],
    subject_types_supported: ['pairwise'],
    id_token_signing_alg_values_supported: ['RS256'],
    response_types_supported: ['code', 'id_token', 'code id_token', 'id_token token'],
    scopes_supported: ['openid', 'profile', 'email', 'offline_access'],
    issuer: entraIssuer(CLOUDS[cloud].login, id),
    request_uri_parameter_supported: false,
    authorization_endpoint: `${base}/oauth2/v2.0/authorize`,
    device_authorization_endpoint: `${base}/oauth2/v2.0/devicecode`,
    end_session_endpoint: `${base}/oauth2/v2.0/logout`,
    claims_supported: ['sub', 'iss', 'aud', 'exp', 'iat', 'nbf', 'ver', 'tid'],
    tenant_region_scope: null,
    cloud_instance_name: host,
  };
}
