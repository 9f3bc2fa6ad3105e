import { systemClock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import { createHttp } from '#http/http.ts';
import { machineIdentity } from '#identity/machine-identity.ts';
import type { GatewayConfig, IssuerConfig } from '../config/gateway-config.ts';
import { administerKeys } from './administer-keys.ts';
import { issuerOf } from './configured-issuer.ts';
import type { KeyState } from './issuer-key.ts';
import { publishedKeys } from './key-lifecycle.ts';
import { tokenEndpoint } from './open-token-issuer.ts';
import type { PublicKey, TokenIssuer } from './token-issuer.ts';
import { vaultClient } from './vault-client.ts';
import { selectVersions, stateOf } from './vault-selection.ts';
import { vaultTrouble } from './vault-trouble.ts';

export interface ConfiguredKeys {
  readonly issuer: Pick<TokenIssuer, 'url' | 'tokenEndpoint'>;
  readonly keys: readonly PublicKey[];
}

/**
 * What a gateway of this configuration publishes, read from where its keys are and not from the gateway.
 *
 * @throws {PlumblineError} `ERR_CONFIG_INVALID`, `ERR_FILE_UNREADABLE`, `ERR_ISSUER_UNAVAILABLE`
 */
export async function configuredKeys(config: GatewayConfig): Promise<ConfiguredKeys> {
  const own = issuerOf(config);
  const keys =
    own.keys.kind === 'files' ? await keysOnDisk(config) : (await vaultKeyList(config)).map(({ jwk }) => jwk);
  return { issuer: { url: own.url, tokenEndpoint: tokenEndpoint(config) }, keys };
}

async function keysOnDisk(config: GatewayConfig): Promise<readonly PublicKey[]> {
  const { keys } = await administerKeys(config, systemClock).list();
  return publishedKeys(keys).map(({ jwk }) => jwk);
}

export interface VaultKeyRow {
  readonly jwk: PublicKey;
  readonly state: KeyState;
  /** URL of the version. */
  readonly id: string;
}

/** @throws {PlumblineError} `ERR_ISSUER_UNAVAILABLE`, and what the vault's address or the identity is refused for */
export async function vaultKeyList(config: GatewayConfig): Promise<readonly VaultKeyRow[]> {
  const { keys, lifetimeMs } = issuerOf(config);
  if (keys.kind === 'files') throw new TypeError('The keys are on disk');
  const versions = await versionsOf(config, keys);
  const times = { publishForMs: keys.publishForMs, lifetimeMs };
  const selection = selectVersions(versions, { times, now: systemClock.now(), seenSince: new Map() });
  return selection.published.map((version) => ({
    jwk: version.jwk,
    state: stateOf(version, selection),
    id: version.id,
  }));
}

async function versionsOf(config: GatewayConfig, { vault, key }: Extract<IssuerConfig['keys'], { vault: string }>) {
  const http = createHttp(config.network);
  const identity = machineIdentity(config.identity, { http, mask: () => {} });
  const client = vaultClient({ vault, key, identity, http });
  try {
    return await client.versions(AbortSignal.timeout(30_000));
  } catch (cause) {
    const { why } = vaultTrouble(cause, systemClock.now());
    throw new PlumblineError('ERR_ISSUER_UNAVAILABLE', `Cannot read key ${key} of vault ${vault}: ${why}`, {
      cause,
      remedy: "Give the gateway's identity 'Key Vault Crypto User' on the key, and check its name.",
    });
  }
}
