import { join } from 'node:path';
import type { Clock } from '#core/clock.ts';
import type { Http } from '#http/http.ts';
import type { MachineIdentity } from '#identity/machine-identity.ts';
import type { GatewayConfig, IssuerConfig } from '../config/gateway-config.ts';
import { FileKeys, type KeyLog } from './file-keys.ts';
import { keyFolder } from './key-folder.ts';
import { signedToken } from './signed-token.ts';
import type { RecordKey, SigningKeys } from './signing-keys.ts';
import { type MachineTime, machineTime } from './steady-time.ts';
import type { TokenIssuer } from './token-issuer.ts';
import { vaultClient } from './vault-client.ts';
import { VaultKeys } from './vault-keys.ts';

type VaultSettings = Extract<IssuerConfig['keys'], { kind: 'azure-key-vault' }>;

export interface TokenIssuerOptions {
  readonly config: IssuerConfig;
  /** Of the gateway; tokens are exchanged there. */
  readonly publicUrl?: string | undefined;
  readonly stateDirectory: string;
  readonly clock: Clock;
  readonly log: KeyLog;
  /** Puts `dev.plumbline.issuer.key` on record; what it throws keeps the key as it was. */
  readonly audited: RecordKey;
  /** The gateway's own, for keys in a vault; asked for only then. */
  readonly identity: () => MachineIdentity;
  readonly http: Http;
  /** @default that of this machine */
  readonly machine?: (() => MachineTime) | undefined;
}

/** Whoever verifies tokens asks for the keys again within a quarter of the time for which new ones are published ahead. */
const MOST_MAX_AGE_SECONDS = 3_600;

/**
 * This gateway as an issuer of tokens, its first key made when there is none.
 *
 * @throws {PlumblineError} `ERR_FILE_UNREADABLE` for keys on disk that cannot be used, and what `audited` throws. A vault that
 *   does not answer is no error here: `problem()` says so until it does.
 */
export async function openTokenIssuer(options: TokenIssuerOptions): Promise<TokenIssuer> {
  const { config, clock } = options;
  const keys = await openKeys(options);
  const frame = { url: config.url, lifetimeSeconds: Math.floor(config.lifetimeMs / 1_000) };
  return {
    ...frame,
    keysMaxAgeSeconds: Math.min(MOST_MAX_AGE_SECONDS, Math.floor(config.keys.publishForMs / 4_000)),
    tokenEndpoint: tokenEndpoint({ issuer: config, publicUrl: options.publicUrl }),
    issue: (claims) => signedToken(claims, frame, { keys, clock }),
    keys: () => keys.published(),
    problem: () => keys.problem(),
    close: () => keys.close(),
  };
}

/** Tokens are exchanged at the gateway, which is the issuer's own URL unless it has another one. */
export function tokenEndpoint({ issuer, publicUrl }: Pick<GatewayConfig, 'issuer' | 'publicUrl'>): string {
  return `${publicUrl ?? issuer?.url ?? ''}/v1/token`;
}

/** Where keys on disk are. */
export function keyDirectory(stateDirectory: string): string {
  return join(stateDirectory, 'keys', 'issuer');
}

async function openKeys(options: TokenIssuerOptions): Promise<SigningKeys> {
  const { config, stateDirectory, clock, log, audited, machine = machineTime } = options;
  if (config.keys.kind === 'azure-key-vault') return openVaultKeys(options, config.keys);
  const { publishForMs, rotateEveryMs } = config.keys;
  return FileKeys.open({
    folder: keyFolder(keyDirectory(stateDirectory)),
    times: { publishForMs, rotateEveryMs, lifetimeMs: config.lifetimeMs },
    audited,
    clock,
    machine,
    log,
  });
}

async function openVaultKeys(
  { config, identity, http, ...collaborators }: TokenIssuerOptions,
  { vault, key, publishForMs }: VaultSettings,
): Promise<SigningKeys> {
  const client = vaultClient({ vault, key, identity: identity(), http });
  const keys = new VaultKeys({ ...collaborators, client, times: { publishForMs, lifetimeMs: config.lifetimeMs } });
  await keys.open();
  return keys;
}
