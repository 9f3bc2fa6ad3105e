import { systemClock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import { createHttp } from '#http/http.ts';
import { machineIdentity } from '#identity/machine-identity.ts';
import type { GatewayConfig, SigningKeySettings } from '../config/gateway-config.ts';
import { administerKeys } from './administer-keys.ts';
import { issuerOf } from './configured-issuer.ts';
import type { KeyState } from './issuer-key.ts';
import { issuerKeys, type KeptKeys } from './kept-keys.ts';
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
  const keys = await publicKeysOf(issuerKeys(config), config);
  return { issuer: { url: issuerOf(config).url, tokenEndpoint: tokenEndpoint(config) }, keys };
}

/** What is published of them. @throws {PlumblineError} `ERR_FILE_UNREADABLE`, `ERR_ISSUER_UNAVAILABLE` */
export async function publicKeysOf(kept: KeptKeys, ground: VaultGround): Promise<readonly PublicKey[]> {
  if (kept.settings.kind !== 'files') return (await vaultKeyList(kept, ground)).map(({ jwk }) => jwk);
  const { keys } = await administerKeys(kept, systemClock).list();
  return publishedKeys(keys).map(({ jwk }) => jwk);
}

/** How a vault is reached. */
type VaultGround = Pick<GatewayConfig, 'network' | 'identity'>;

export interface VaultKeyRow {
  readonly jwk: PublicKey;
  readonly state: KeyState;
  /** URL of the version. */
  readonly id: string;
}

/** @throws {PlumblineError} `ERR_ISSUER_UNAVAILABLE`, and what the vault's address or the identity is refused for */
export async function vaultKeyList(
  { settings, lifetimeMs }: KeptKeys,
  ground: VaultGround,
): Promise<readonly VaultKeyRow[]> {
  if (settings.kind === 'files') throw new TypeError('The keys are on disk');
  const versions = await versionsOf(ground, settings);
  const times = { publishForMs: settings.publishForMs, lifetimeMs };
  const selection = selectVersions(versions, { times, now: systemClock.now(), seenSince: new Map() });
  return selection.published.map((version) => ({
    jwk: version.jwk,
    state: stateOf(version, selection),
    id: version.id,
  }));
}

async function versionsOf(
  { network, identity: settings }: VaultGround,
  { vault, key }: Extract<SigningKeySettings, { vault: string }>,
) {
  const http = createHttp(network);
  const identity = machineIdentity(settings, { http, mask: () => {} });
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
