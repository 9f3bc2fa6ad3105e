import { asPlumblineError } from '#core/errors.ts';
import type { Http } from '#http/http.ts';
import type { IssuerSettings } from './issuer-settings.ts';
import { discoveryAddress, publishedAddressProblem } from './key-address.ts';
import { importKeys, type VerificationKeys } from './verification-key.ts';

export interface FetchLimits {
  /** For each of the two documents, its body included. */
  readonly timeoutMs: number;
  /** Of each document. */
  readonly maxBodyBytes: number;
}

/**
 * Fetches an issuer's keys, by its discovery document unless the policy names their address. Redirects are not followed and
 * nothing is tried again: whoever asks does that.
 *
 * @throws Error whose message says what failed and quotes nothing that was fetched.
 */
export async function fetchKeys(
  settings: IssuerSettings,
  http: Http,
  limits: FetchLimits,
  signal: AbortSignal,
): Promise<VerificationKeys> {
  const get = (url: string) => document(url, http, limits, signal);
  const address = settings.jwksUri ?? (await publishedAddress(settings, get));
  const keys = await importKeys(await get(address), settings);
  // An issuer that takes all of its keys back at once has failed, more likely than not.
  if (keys.size === 0) throw new TypeError(`'${address}' has no key that verifies the tokens of this issuer`);
  return keys;
}

async function publishedAddress(settings: IssuerSettings, get: (url: string) => Promise<unknown>): Promise<string> {
  const address = discoveryAddress(settings.issuer);
  const found = (await get(address)) as Readonly<Record<string, unknown>> | null;
  if (found?.['issuer'] !== settings.issuer) throw new TypeError(`'${address}' is the document of another issuer`);
  const problem = publishedAddressProblem(found['jwks_uri'], settings);
  if (problem !== undefined) throw new TypeError(`The jwks_uri in '${address}' is not followed: ${problem}`);
  return String(found['jwks_uri']);
}

async function document(url: string, http: Http, limits: FetchLimits, signal: AbortSignal): Promise<unknown> {
  try {
    const response = await http.request({
      method: 'GET',
      url,
      headers: { accept: 'application/json' },
      ...limits,
      maxAttempts: 1,
      // A connection of its own: there are minutes between two of these requests.
      idempotent: false,
      signal,
    });
    if (response.status !== 200) throw new TypeError(`'${url}' answered HTTP ${response.status}`);
    return response.json();
  } catch (thrown) {
    if (thrown instanceof TypeError) throw thrown;
    throw asPlumblineError(thrown);
  }
}
