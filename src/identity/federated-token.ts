import { Secret } from '#core/secret.ts';
import { azureHttpClient } from '#http/azure-http-client.ts';
import type { Http } from '#http/http.ts';
import type { Assertion } from './assertion.ts';
import { observedHttp } from './observed-http.ts';
import { type RefusedExchange, rejection } from './rejection.ts';
import type { AccessToken } from './token-cache.ts';

export interface TokenSurroundings {
  readonly http: Http;
  readonly mask: (secret: Secret) => void;
}

/**
 * Exchanges an ID token for an access token at Entra ID. Why not AzurePipelinesCredential:
 * docs/decisions/0001-federated-token.md. A new credential each time, because our cache is the one that counts.
 *
 * @throws {PlumblineError} `ERR_IDENTITY_REJECTED`, `ERR_HTTP_*`.
 */
export async function exchangedToken(
  exchange: Omit<RefusedExchange, 'claims'>,
  assertion: Assertion,
  scope: string,
  { http, mask }: TokenSurroundings,
): Promise<AccessToken> {
  const observed = observedHttp(http);
  const { clientAssertionCredential } = await import('./azure-sdk.ts');
  const credential = clientAssertionCredential(
    exchange.tenantId,
    exchange.clientId,
    async () => assertion.token.reveal(),
    { authorityHost: exchange.authority, httpClient: azureHttpClient(observed), retryOptions: { maxRetries: 0 } },
  );
  try {
    const answer = await credential.getToken(scope);
    const token = new Secret(answer?.token ?? '');
    mask(token);
    return { token, expiresAt: answer?.expiresOnTimestamp ?? 0 };
  } catch (thrown) {
    throw observed.trouble() ?? rejection(thrown, { ...exchange, claims: assertion.claims });
  }
}
