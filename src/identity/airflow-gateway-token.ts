import { type Clock, systemClock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';
import { type GatewayCall, gatewayRefusal, noGateway } from '#http/gateway-problem.ts';
import type { Http } from '#http/http.ts';
import type { HttpResponse } from '#http/http-response.ts';
import type { AirflowCredentials } from './airflow-credentials.ts';
import type { GatewayIdentity } from './gateway-identity.ts';
import { type AccessToken, createTokenCache, type TokenCache } from './token-cache.ts';

export interface AirflowGatewayToken {
  readonly gateway: Pick<GatewayIdentity, 'url' | 'headers'>;
  /** As the gateway names the Airflow. */
  readonly name: string;
  /** Of the Airflow: the one place the token goes to. */
  readonly airflowUrl: string;
  readonly http: Http;
  /** Called with each token before it is used. */
  readonly mask: (secret: Secret) => void;
  readonly clock?: Clock | undefined;
}

const SCOPE = 'airflow';
const LONGEST_TOKEN = 16_384;
/** The gateway gives none that lives longer. */
const LONGEST_LIFE_S = 3_600;

/**
 * A short-lived token of this Airflow, in exchange for the pipeline's own identity (`POST /v1/airflow/{name}/token`); a new
 * one is asked for in time and after it was refused. The gateway says for which address it is, and it goes nowhere else: whoever
 * can edit the service connection must not get tokens of a production Airflow sent elsewhere.
 */
export function gatewayTokenCredentials(exchange: AirflowGatewayToken): AirflowCredentials {
  const fresh = () => createTokenCache(() => exchanged(exchange), exchange.clock ?? systemClock);
  let tokens: TokenCache = fresh();
  return {
    headers: async (_api, signal) => {
      const { token } = await tokens.token(SCOPE, signal);
      return { authorization: `Bearer ${token.reveal()}` };
    },
    refused: () => {
      tokens = fresh();
    },
  };
}

async function exchanged(exchange: AirflowGatewayToken): Promise<AccessToken> {
  const { gateway, name, http, mask, clock = systemClock } = exchange;
  const call: GatewayCall = { what: `give a token of the Airflow '${name}'`, gateway: gateway.url };
  const askedAt = clock.now();
  const response = await http.request({
    method: 'POST',
    url: `${gateway.url}/v1/airflow/${encodeURIComponent(name)}/token`,
    headers: { ...(await gateway.headers()), 'content-type': 'application/json', accept: 'application/json' },
    body: '{}',
    maxBodyBytes: 256 * 1024,
    // The pipeline's token is good for one request; the same request again gets the same answer.
    idempotent: true,
  });
  if (response.status !== 200) throw gatewayRefusal(call, response);
  const answer = readAnswer(call, response);
  const token = new Secret(answer.token);
  mask(token);
  checkPlace(exchange, answer.url);
  return { token, expiresAt: askedAt + answer.expiresIn * 1_000 };
}

interface Answer {
  readonly token: string;
  /** Seconds. */
  readonly expiresIn: number;
  readonly url: string;
}

function readAnswer(call: GatewayCall, response: HttpResponse): Answer {
  const { access_token: token, expires_in: expiresIn, token_type: type, url } = objectOf(response);
  const isToken = typeof token === 'string' && token.length <= LONGEST_TOKEN && /^[\x21-\x7e]+$/.test(token);
  const isLife = typeof expiresIn === 'number' && expiresIn > 0 && expiresIn <= LONGEST_LIFE_S;
  if (!isToken || !isLife || type !== 'Bearer') throw noGateway(call, 'its answer holds no token', response.status);
  if (typeof url !== 'string' || !URL.canParse(url)) {
    throw noGateway(call, 'its answer does not say for which address the token is', response.status);
  }
  return { token, expiresIn, url };
}

function objectOf(response: HttpResponse): Record<string, unknown> {
  try {
    const value: unknown = response.json();
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function checkPlace({ name, airflowUrl, gateway }: AirflowGatewayToken, url: string): void {
  const [theirs, ours] = [placeOf(url), placeOf(airflowUrl)];
  if (`${ours}/`.startsWith(`${theirs}/`)) return;
  throw new PlumblineError(
    'ERR_IDENTITY_HOST_NOT_ALLOWED',
    `Will not send the token of the Airflow '${name}' to ${ours}: the gateway ${gateway.url} gave it for ${theirs}`,
    { remedy: 'Correct URL or name of the Airflow in the service connection.', details: { name, url: ours } },
  );
}

/** Below other paths of one host lie other Airflows; a gateway that names only the host means all of it. */
function placeOf(address: string): string {
  const { origin, pathname } = new URL(address);
  return `${origin}${pathname}`.replace(/\/+$/, '');
}
