import type { GatewayConfig, IssuerConfig } from '../config/gateway-config.ts';
import { ISSUER_HOLDER, keyDirectory } from './kept-keys.ts';
import { openSigningKeys, type SigningKeysOptions } from './open-signing-keys.ts';
import { signedToken } from './signed-token.ts';
import type { TokenIssuer } from './token-issuer.ts';

export interface TokenIssuerOptions extends SigningKeysOptions {
  readonly config: IssuerConfig;
  /** Of the gateway; tokens are exchanged there. */
  readonly publicUrl?: string | undefined;
  readonly stateDirectory: string;
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
  const { config, clock, stateDirectory } = options;
  const { keys: settings, lifetimeMs } = config;
  const kept = { settings, lifetimeMs, directory: keyDirectory(stateDirectory), holder: ISSUER_HOLDER };
  const keys = await openSigningKeys(kept, options);
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
