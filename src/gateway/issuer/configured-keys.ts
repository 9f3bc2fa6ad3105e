import { systemClock } from '#core/clock.ts';
import type { GatewayConfig } from '../config/gateway-config.ts';
import { administerKeys } from './administer-keys.ts';
import { issuerOf } from './configured-issuer.ts';
import { publishedKeys } from './key-lifecycle.ts';
import { tokenEndpoint } from './open-token-issuer.ts';
import type { PublicKey, TokenIssuer } from './token-issuer.ts';

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
  const { url } = issuerOf(config);
  const { keys } = await administerKeys(config, systemClock).list();
  return { issuer: { url, tokenEndpoint: tokenEndpoint(config) }, keys: publishedKeys(keys).map(({ jwk }) => jwk) };
}
