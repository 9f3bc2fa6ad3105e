import type { CustomFetch } from 'openid-client';
import type { Http } from '#http/http.ts';
import { publishedAddressProblem } from '../auth/key-address.ts';
import { SignInFailure } from './sign-in-failure.ts';

const TIMEOUT_MS = 10_000;
const MAX_BODY_BYTES = 1_048_576;
const WITHOUT_BODY: ReadonlySet<number> = new Set([101, 204, 205, 304]);

/**
 * How the library reaches the provider: by the gateway's own proxy and authorities, once, without following redirects, bounded
 * in time and size, and only https addresses (or an issuer on this machine).
 *
 * What it gives throws {@link SignInFailure}: `provider-unavailable`, `discovery`.
 */
export function providerFetch(http: Http, issuer: string): CustomFetch {
  return async (url, { method, headers, body, signal }) => {
    checkAddress(url, issuer);
    const response = await http
      .request({
        method: method === 'POST' ? 'POST' : 'GET',
        url,
        headers,
        body: body === undefined || body === null ? undefined : bodyOf(body),
        timeoutMs: TIMEOUT_MS,
        maxBodyBytes: MAX_BODY_BYTES,
        maxAttempts: 1,
        // Minutes lie between two sign-ins, and a code may be sent once.
        idempotent: false,
        signal,
      })
      .catch((error: unknown) => {
        throw new SignInFailure('provider-unavailable', error instanceof Error ? error.message : undefined);
      });
    if (response.status >= 500)
      throw new SignInFailure('provider-unavailable', `${origin(url)}: HTTP ${response.status}`);
    const type = response.header('content-type');
    return new Response(WITHOUT_BODY.has(response.status) ? null : new Uint8Array(response.body), {
      status: response.status,
      ...(type !== undefined && { headers: { 'content-type': type } }),
    });
  };
}

/** @throws {SignInFailure} `discovery`, when a document of the provider leads where nothing is asked and nobody is sent */
export function checkAddress(url: string | undefined, issuer: string): void {
  const problem = publishedAddressProblem(url, { issuer });
  if (problem !== undefined) throw new SignInFailure('discovery', `an address of ${issuer} is not used: ${problem}`);
}

function bodyOf(body: unknown): string {
  if (typeof body === 'string') return body;
  if (body instanceof URLSearchParams) return body.toString();
  throw new TypeError('The provider is sent forms only');
}

function origin(url: string): string {
  return new URL(url).origin;
}
