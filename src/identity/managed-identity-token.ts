import type { ServiceConnection } from '#core/connection.ts';
import { PlumblineError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';
import { azureHttpClient } from '#http/azure-http-client.ts';
import type { TokenSurroundings } from './federated-token.ts';
import type { AccessToken } from './token-cache.ts';

/** The metadata service is on the machine or not there at all; then nothing answers. */
const TIMEOUT_MS = 10_000;

/**
 * A token of the managed identity that this machine has.
 *
 * @throws {PlumblineError} `ERR_IDENTITY_REJECTED` when the machine has none, or not this one.
 */
export async function managedIdentityToken(
  connection: ServiceConnection,
  clientId: string | undefined,
  scope: string,
  { http, mask }: TokenSurroundings,
): Promise<AccessToken> {
  const { managedIdentityCredential } = await import('./azure-sdk.ts');
  const httpClient = azureHttpClient(http, { timeoutMs: TIMEOUT_MS, maxAttempts: 2 });
  const credential = managedIdentityCredential(clientId, { httpClient, retryOptions: { maxRetries: 0 } });
  try {
    const answer = await credential.getToken(scope);
    const token = new Secret(answer?.token ?? '');
    mask(token);
    return { token, expiresAt: answer?.expiresOnTimestamp ?? 0 };
  } catch (thrown) {
    throw unavailable(thrown, connection, clientId);
  }
}

function unavailable(thrown: unknown, connection: ServiceConnection, clientId: string | undefined): PlumblineError {
  const why = (thrown instanceof Error ? thrown.message : String(thrown)).replace(/eyJ[\w-]*(?:\.[\w-]*)*/g, '***');
  const whose = clientId === undefined ? 'the managed identity of this machine' : `the managed identity ${clientId}`;
  return new PlumblineError(
    'ERR_IDENTITY_REJECTED',
    `Cannot get a token of ${whose} for service connection ${connection.id}: ${why.split(/[\r\n]/)[0]?.slice(0, 300)}`,
    {
      remedy:
        'Run the job on an agent in Azure (virtual machine, scale set, App Service) that has this managed identity, or convert the connection to workload identity federation.',
      details: { connection: connection.id, clientId },
    },
  );
}
