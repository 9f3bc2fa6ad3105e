import { type Clock, systemClock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';
import type { Http } from '#http/http.ts';
import type { HttpResponse } from '#http/http-response.ts';
import { type AirflowCredentials, oncePerSecret, type SecretSource } from './airflow-credentials.ts';
import { claimsOf } from './assertion.ts';
import { type AccessToken, createTokenCache, type TokenCache } from './token-cache.ts';

export interface AirflowLogin {
  /** Of the Airflow; no slash at the end. */
  readonly url: string;
  readonly username: string;
  readonly password: SecretSource;
  readonly http: Http;
  /** Called with each secret before it is used. */
  readonly mask: (secret: Secret) => void;
  readonly clock?: Clock | undefined;
}

/** For a token that does not say when it expires: asked for again after half of it. */
const UNTOLD_LIFE_MS = 1_200_000;
const SCOPE = 'airflow';
const LONGEST_TOKEN = 16_384;

/**
 * User name and password: HTTP Basic for Airflow 2; for Airflow 3 they buy a token (`POST /auth/token`), which is renewed
 * before it expires and after it was refused. A password that is not accepted is read anew once, where it can be.
 */
export function loginCredentials(login: AirflowLogin): AirflowCredentials {
  const fetch = () => boughtToken(login);
  const fresh = () => createTokenCache(fetch, login.clock ?? systemClock);
  let tokens: TokenCache = fresh();
  const pairOf = basicPair(login);
  let used: 'v1' | 'v2' = 'v2';
  return {
    headers: async (api, signal) => {
      used = api;
      if (api === 'v1') return { authorization: `Basic ${pairOf(await login.password.read(signal)).reveal()}` };
      const { token } = await tokens.token(SCOPE, signal);
      return { authorization: `Bearer ${token.reveal()}` };
    },
    refused: () => {
      // In Airflow 3 it is the token that was refused; the password may be good, and buying one more shows it.
      if (used === 'v1') login.password.refused();
      else tokens = fresh();
    },
  };
}

/** What HTTP Basic sends for a password. */
function basicPair({ username, mask }: AirflowLogin): (password: Secret) => Secret {
  return oncePerSecret((password) => {
    mask(password);
    const pair = new Secret(Buffer.from(`${username}:${password.reveal()}`, 'utf8').toString('base64'));
    mask(pair);
    return pair;
  });
}

async function boughtToken(login: AirflowLogin): Promise<AccessToken> {
  let response = await ask(login);
  if (response.status === 401) {
    login.password.refused();
    response = await ask(login);
  }
  if (response.status !== 201 && response.status !== 200) throw refusal(login, response);
  const token = new Secret(tokenOf(login, response));
  login.mask(token);
  const now = (login.clock ?? systemClock).now();
  return { token, expiresAt: claimsOf(token).expiresAt ?? now + UNTOLD_LIFE_MS };
}

/** Buying a token changes nothing, so it may be asked for twice. */
async function ask({ url, username, password, http, mask }: AirflowLogin): Promise<HttpResponse> {
  const secret = await password.read(new AbortController().signal);
  mask(secret);
  return http.request({
    method: 'POST',
    url: `${url}/auth/token`,
    headers: { 'content-type': 'application/json', accept: 'application/json' },
    body: JSON.stringify({ username, password: secret.reveal() }),
    maxBodyBytes: 256 * 1024,
    idempotent: true,
  });
}

function tokenOf(login: AirflowLogin, response: HttpResponse): string {
  const token = field(response, 'access_token');
  if (token !== undefined && token.length <= LONGEST_TOKEN && /^[\x21-\x7e]+$/.test(token)) return token;
  throw new PlumblineError(
    'ERR_AIRFLOW_PROTOCOL',
    `Airflow ${login.url} gave no token for user '${login.username}': its answer has no access_token`,
    { remedy: "See whether '/auth/token' of this address is Airflow's own.", details: { status: response.status } },
  );
}

function field(response: HttpResponse, name: string): string | undefined {
  try {
    const value: unknown = (response.json() as Record<string, unknown> | null)?.[name];
    return typeof value === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}

function refusal({ url, username }: AirflowLogin, { status }: HttpResponse): PlumblineError {
  const what = `Airflow ${url} gave no token for user '${username}'`;
  const details = { status };
  if (status === 429 || status >= 500) {
    return new PlumblineError('ERR_AIRFLOW_UNAVAILABLE', `${what}: it answered HTTP ${status}`, { details });
  }
  if (status === 401 || status === 403) {
    return new PlumblineError('ERR_AIRFLOW_REFUSED', `${what}: it answered HTTP ${status}`, {
      remedy: 'Check user name and password of the service connection, or the secret that credentialSecret names.',
      details,
    });
  }
  return new PlumblineError('ERR_AIRFLOW_PROTOCOL', `${what}: it answered HTTP ${status} to '/auth/token'`, {
    remedy:
      "This Airflow's sign-in has no tokens for user name and password: use a connection with a token, or one of a gateway (docs/airflow-platforms.md).",
    details,
  });
}
