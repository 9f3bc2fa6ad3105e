import { PlumblineError } from '#core/errors.ts';
import type { GatewayConfig, IssuerConfig } from '../config/gateway-config.ts';

/** @throws {PlumblineError} `ERR_CONFIG_INVALID` when the gateway is to be none */
export function issuerOf({ issuer, file }: Pick<GatewayConfig, 'file' | 'issuer'>): IssuerConfig {
  if (issuer) return issuer;
  throw new PlumblineError('ERR_CONFIG_INVALID', `Cannot use ${file}: it has no issuer`, {
    remedy: 'Add `issuer` to it; docs/gateway/issuer.md says how.',
  });
}
