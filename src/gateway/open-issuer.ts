import { machineIdentity } from '#identity/machine-identity.ts';
import type { GatewayGround } from './gateway-ground.ts';
import { openTokenIssuer } from './issuer/open-token-issuer.ts';
import type { TokenIssuer } from './issuer/token-issuer.ts';

/** This gateway as an issuer of tasks' tokens, when it is configured as one. A key is on record before it is anything. */
export async function openIssuer(ground: GatewayGround): Promise<TokenIssuer | undefined> {
  const { config, options, http, audit, closers } = ground;
  const { log, clock } = options;
  if (config.issuer === undefined) return undefined;
  const issuer = await openTokenIssuer({
    config: config.issuer,
    publicUrl: config.publicUrl,
    stateDirectory: config.stateDirectory,
    clock,
    log,
    audited: async (keyId, result) => {
      await audit.append({ type: 'dev.plumbline.issuer.key', subject: keyId, data: { keyId, result } });
    },
    identity: () => machineIdentity(config.identity, { http, clock, mask: () => {} }),
    http,
  });
  closers.push(() => issuer.close());
  return issuer;
}
