import type { ServiceConnection, SystemConnection } from '#core/connection.ts';
import { PlumblineError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';
import type { Http } from '#http/http.ts';
import type { HttpResponse } from '#http/http-response.ts';

const API_VERSION = '7.1';

/** An ID token. Of a service connection: whoever holds it can become that connection in Entra ID. */
export interface Assertion {
  readonly token: Secret;
  readonly claims: AssertionClaims;
}

/** What the token says of itself. Not verified here and no secret; Entra ID verifies it. */
export interface AssertionClaims {
  readonly issuer?: string | undefined;
  readonly subject?: string | undefined;
  readonly audience?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number | undefined;
}

/** Where ID tokens come from: the OIDC endpoint of a job. */
export interface OidcEndpoint {
  /** Absent: the token is the pipeline's own (`p://organisation/project/pipeline`) and signs facts of its run. */
  readonly connection?: ServiceConnection | undefined;
  readonly system: SystemConnection;
  /** `System.OidcRequestUri`. */
  readonly requestUri: string | undefined;
  readonly http: Http;
  /** Called on the line after the token arrived. */
  readonly mask: (secret: Secret) => void;
}

/**
 * Asks Azure DevOps for a new ID token of the connection, or of the pipeline itself (`Oidctoken - Create`, REST 7.1).
 *
 * @throws {PlumblineError} `ERR_IDENTITY_OIDC_UNAVAILABLE` when there is no endpoint or it gives no token;
 *   `ERR_IDENTITY_HOST_NOT_ALLOWED`; `ERR_HTTP_*` when it cannot be reached.
 */
export async function requestAssertion(endpoint: OidcEndpoint, signal?: AbortSignal): Promise<Assertion> {
  const url = oidcUrl(endpoint);
  const response = await endpoint.http.request({
    method: 'POST',
    url,
    headers: {
      authorization: `Bearer ${endpoint.system.accessToken.reveal()}`,
      'content-type': 'application/json',
      // Without it a token that is not accepted gets the HTML of a sign-in page with status 203 or 302.
      'x-tfs-fedauthredirect': 'Suppress',
    },
    idempotent: true,
    signal,
  });
  if (response.status !== 200) throw refused(endpoint, response);
  const token = new Secret(oidcToken(endpoint, response));
  endpoint.mask(token);
  return { token, claims: claimsOf(token) };
}

/** The claims of a JWT without verifying it; an unreadable one has none. */
export function claimsOf(token: Secret): AssertionClaims {
  const payload = token.reveal().split('.')[1] ?? '';
  const claims = parsedObject(Buffer.from(payload, 'base64url').toString('utf8'));
  const text = (name: string) => (typeof claims[name] === 'string' ? claims[name].slice(0, 500) : undefined);
  const expiry = claims['exp'];
  return {
    issuer: text('iss'),
    subject: text('sub'),
    audience: text('aud'),
    expiresAt: typeof expiry === 'number' ? expiry * 1_000 : undefined,
  };
}

function parsedObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function oidcUrl({ connection, system, requestUri }: OidcEndpoint): URL {
  if (!requestUri) throw unavailable(connection, 'the agent gives no System.OidcRequestUri', NO_ENDPOINT);
  if (!URL.canParse(requestUri)) throw unavailable(connection, 'System.OidcRequestUri is no URL', NO_ENDPOINT);
  const url = new URL(requestUri);
  if (!isAzureDevOps(url, system)) {
    throw new PlumblineError(
      'ERR_IDENTITY_HOST_NOT_ALLOWED',
      `Cannot get an ID token for ${holderOf(connection)}: System.OidcRequestUri points to '${url.origin}', which is not this Azure DevOps organisation`,
      {
        remedy: 'Remove the variable from the pipeline; the agent sets it.',
        details: { connection: connection?.id, origin: url.origin },
      },
    );
  }
  url.searchParams.set('api-version', API_VERSION);
  if (connection !== undefined) url.searchParams.set('serviceConnectionId', connection.id);
  return url;
}

function isAzureDevOps(url: URL, system: SystemConnection): boolean {
  if (url.protocol !== 'https:') return false;
  if (url.host === new URL(system.url).host) return true;
  return /^(?:[a-z0-9-]+\.)*(?:dev\.azure\.com|visualstudio\.com)$/.test(url.hostname) && url.port === '';
}

function oidcToken({ connection }: OidcEndpoint, response: HttpResponse): string {
  const answer = parsedObject(response.text());
  const token = answer['oidcToken'];
  if (typeof token === 'string' && token !== '') return token;
  throw unavailable(
    connection,
    'Azure DevOps answered without a token',
    connection === undefined ? LATER : NAMED_BY_THE_STAGE,
  );
}

function holderOf(connection: ServiceConnection | undefined): string {
  return connection === undefined ? 'this pipeline' : `service connection ${connection.id}`;
}

const NO_ENDPOINT =
  'Run the step in a job of Azure Pipelines with agent 3.220 or later, and do not set this variable in the pipeline.';
const NAMED_BY_THE_STAGE =
  'Name the connection in the input of this step (not through a variable that is set at run time), check that it still exists and that this pipeline is authorised to use it.';
const JOB_TOKEN =
  "The job's own token was not accepted: it ends with the job's time-out, and a project or organisation setting can limit it. Check 'Limit job authorization scope', and the step for a System.AccessToken that the pipeline sets itself.";
const LATER = 'Azure DevOps does not answer as it should; run the job again, and see https://status.dev.azure.com.';

function refused({ connection }: OidcEndpoint, response: HttpResponse): PlumblineError {
  const { status } = response;
  const why = `Azure DevOps answered ${status}${said(response)}`;
  if (status === 401 || status === 403 || status === 203 || (status >= 300 && status < 400))
    return unavailable(connection, `${why} to the job's token`, JOB_TOKEN, { status });
  const passing = status >= 500 || status === 429;
  const remedy = connection === undefined ? JOB_TOKEN : NAMED_BY_THE_STAGE;
  return unavailable(connection, why, passing ? LATER : remedy, { status, passing });
}

/** What Azure DevOps says of it: its error document, or wrapped text for a connection that the stage does not name. */
function said(response: HttpResponse): string {
  const { message, value } = parsedObject(response.text());
  const text = [message, value].find((one) => typeof one === 'string');
  return typeof text === 'string' ? ` ('${text.split(/[\r\n]/)[0]?.slice(0, 200)}')` : '';
}

function unavailable(
  connection: ServiceConnection | undefined,
  why: string,
  remedy: string,
  facts: { readonly status?: number; readonly passing?: boolean } = {},
): PlumblineError {
  const message = `Cannot get an ID token for ${holderOf(connection)}: ${why}`;
  return new PlumblineError('ERR_IDENTITY_OIDC_UNAVAILABLE', message, {
    remedy,
    details: { connection: connection?.id, ...facts },
  });
}
