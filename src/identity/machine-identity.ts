import { type Clock, systemClock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';
import { azureHttpClient } from '#http/azure-http-client.ts';
import type { Http } from '#http/http.ts';
import { type Cloud, cloudOfAuthorityHost } from './cloud.ts';
import type { MachineCredentialKind } from './machine-sdk.ts';
import { observedHttp } from './observed-http.ts';
import { type AccessToken, createTokenCache, type TokenCache } from './token-cache.ts';

/** Who this process itself is in Azure, with no service connection and no stored secret. */
export interface MachineIdentity extends TokenCache {
  readonly kind: 'machine';
  readonly tenantId: string | undefined;
  /** Absent: the only one of the machine. */
  readonly clientId: string | undefined;
  readonly cloud: Cloud;
}

export interface MachineIdentitySettings {
  /**
   * `managed`: of the virtual machine, scale set or App Service. `workload`: federated to the pod's service account.
   * `default`: what DefaultAzureCredential finds.
   */
  readonly kind: MachineCredentialKind;
  readonly clientId?: string | undefined;
}

export interface MachineSurroundings {
  readonly http: Http;
  /** Called with each token on the line after it arrived. */
  readonly mask: (secret: Secret) => void;
  /** The SDK reads it too. @default process.env */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  readonly clock?: Clock | undefined;
}

/** Variables that hold, or lead to, a secret that does not expire by itself. */
const STORED_SECRETS = ['AZURE_CLIENT_SECRET', 'AZURE_CLIENT_CERTIFICATE_PATH', 'AZURE_PASSWORD'];
/** The metadata service is on the machine or not there at all; then nothing answers. */
const TIMEOUT_MS = 10_000;

/**
 * The machine's identity. Asks nobody yet: a token is fetched when first needed.
 *
 * @throws {PlumblineError} `ERR_CONNECTION_STORED_SECRET` when the environment would make the chain use one;
 *   `ERR_IDENTITY_HOST_NOT_ALLOWED` for an authority that is no cloud's. `token` throws `ERR_IDENTITY_REJECTED`, `ERR_HTTP_*`.
 */
export function machineIdentity(settings: MachineIdentitySettings, surroundings: MachineSurroundings): MachineIdentity {
  const { environment = process.env, clock = systemClock } = surroundings;
  if (settings.kind === 'default') refuseStoredSecret(environment);
  const cloud = cloudOfAuthorityHost(environment['AZURE_AUTHORITY_HOST']);
  return {
    kind: 'machine',
    tenantId: settings.kind === 'managed' ? undefined : environment['AZURE_TENANT_ID'] || undefined,
    clientId: settings.clientId,
    cloud,
    ...createTokenCache((scope) => fetched(settings, cloud, scope, surroundings), clock),
  };
}

async function fetched(
  { kind, clientId }: MachineIdentitySettings,
  cloud: Cloud,
  scope: string,
  { http, mask }: MachineSurroundings,
): Promise<AccessToken> {
  const observed = observedHttp(http);
  const { machineCredential } = await import('./machine-sdk.ts');
  try {
    const credential = machineCredential(kind, clientId, {
      authorityHost: cloud.authority,
      httpClient: azureHttpClient(observed, { timeoutMs: TIMEOUT_MS, maxAttempts: 2 }),
      retryOptions: { maxRetries: 0 },
    });
    const answer = await credential.getToken(scope);
    const token = new Secret(answer?.token ?? '');
    mask(token);
    return { token, expiresAt: answer?.expiresOnTimestamp ?? 0 };
  } catch (thrown) {
    // The chain tries addresses that are not there: only a single credential's trouble is the reason.
    throw (kind === 'workload' ? observed.trouble() : undefined) ?? unavailable(thrown, kind, clientId);
  }
}

function unavailable(thrown: unknown, kind: MachineCredentialKind, clientId: string | undefined): PlumblineError {
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const why = text
    .replace(/eyJ[\w-]*(?:\.[\w-]*)*/g, '***')
    .split(/[\r\n]/)[0]
    ?.slice(0, 300);
  const whose = clientId === undefined ? "this machine's identity" : `the identity ${clientId} of this machine`;
  return new PlumblineError('ERR_IDENTITY_REJECTED', `Cannot get a token of ${whose} (${kind}): ${why}`, {
    remedy: REMEDIES[kind],
    details: { kind, clientId },
  });
}

const REMEDIES: Readonly<Record<MachineCredentialKind, string>> = {
  managed: 'Give the machine that managed identity, or name the client id of the one that it has.',
  workload:
    'Annotate the service account with the client id, label the pod with azure.workload.identity/use, and trust the service account in Entra ID.',
  default: 'Give the machine a managed identity, or the pod a workload identity; say which one under identity.',
};

function refuseStoredSecret(environment: Readonly<Record<string, string | undefined>>): void {
  const found = STORED_SECRETS.find((name) => environment[name]);
  if (found === undefined) return;
  throw new PlumblineError(
    'ERR_CONNECTION_STORED_SECRET',
    `Will not use this machine's identity: the variable ${found} names a stored secret`,
    { remedy: `Remove ${found} from the environment, and use a managed or a workload identity.`, details: { found } },
  );
}
