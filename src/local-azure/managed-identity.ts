import { randomUUID, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Clock } from '#core/clock.ts';
import { issueAccessToken } from './access-token.ts';
import { EntraError } from './entra-error.ts';
import type { RecordedExchange } from './exchange.ts';
import type { SigningKey } from './signing-key.ts';
import type { Identity, World } from './world.ts';

const API_VERSION = '2019-08-01';

export interface ManagedIdentityEndpoint {
  /** `IDENTITY_ENDPOINT` */
  readonly endpoint: string;
  /** `IDENTITY_HEADER` */
  readonly header: string;
  close(): Promise<void>;
}

export interface ManagedIdentityOptions {
  readonly world: World;
  readonly key: SigningKey;
  readonly clock: Clock;
  readonly record: (exchange: RecordedExchange) => void;
}

interface Answer {
  readonly status: number;
  readonly body: object;
}

/**
 * The App Service flavour of managed identities, plain HTTP on loopback. The other flavour lives at 169.254.169.254, which no
 * proxy reaches and which a test machine cannot take over.
 */
export async function startManagedIdentity(options: ManagedIdentityOptions): Promise<ManagedIdentityEndpoint> {
  const header = randomUUID();
  const server = createServer(async (request, response) => {
    const { status, body } = await answer(request, header, options);
    const path = request.url ?? '/';
    options.record({
      host: '127.0.0.1',
      method: request.method ?? '',
      path,
      status,
      at: options.clock.now(),
      fault: false,
    });
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}/msi/token`,
    header,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(request: IncomingMessage, header: string, options: ManagedIdentityOptions): Promise<Answer> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1');
  if (pathname !== '/msi/token' || request.method !== 'GET') return { status: 404, body: { message: 'Not found' } };
  if (!same(String(request.headers['x-identity-header'] ?? ''), header))
    return { status: 403, body: { message: 'Forbidden' } };
  if (searchParams.get('api-version') !== API_VERSION)
    return { status: 400, body: { message: `api-version must be ${API_VERSION}` } };
  const resource = searchParams.get('resource');
  const identity = chosen(options.world.machineIdentities, searchParams);
  if (resource === null || identity === undefined)
    return {
      status: 400,
      body: {
        statusCode: 400,
        message: 'No User Assigned or Delegated Managed Identity found for specified ClientId/ResourceId/PrincipalId.',
      },
    };
  return token(identity, resource, options);
}

async function token(
  identity: Identity,
  resource: string,
  { world, key, clock }: ManagedIdentityOptions,
): Promise<Answer> {
  try {
    const now = clock.now();
    const issued = await issueAccessToken(identity, resource, world, key, now);
    const body = {
      access_token: issued.token,
      expires_on: String(Math.floor(now / 1_000) + issued.expiresIn),
      resource,
      token_type: 'Bearer',
      client_id: identity.clientId,
    };
    return { status: 200, body };
  } catch (error) {
    if (error instanceof EntraError) return { status: 400, body: { statusCode: 400, message: error.message } };
    throw error;
  }
}

function chosen(identities: readonly Identity[], parameters: URLSearchParams): Identity | undefined {
  const [client, object] = [parameters.get('client_id'), parameters.get('principal_id')];
  if (client === null && object === null) return identities[0];
  return identities.find(
    ({ clientId, objectId }) => clientId === client?.toLowerCase() || objectId === object?.toLowerCase(),
  );
}

function same(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
