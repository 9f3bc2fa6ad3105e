import { join } from 'node:path';
import type { GatewayConfig, SigningKeySettings } from '../config/gateway-config.ts';
import { issuerOf } from './configured-issuer.ts';

/** Signing keys that this gateway keeps for one purpose, and nothing else signs with them. */
export interface KeptKeys {
  readonly settings: SigningKeySettings;
  /** Of a token. */
  readonly lifetimeMs: number;
  /** Where keys on disk are. */
  readonly directory: string;
  readonly holder: KeyHolder;
}

/** Whose keys they are, for messages. */
export interface KeyHolder {
  /** e.g. `the issuer`. */
  readonly name: string;
  /** What `plumbline issuer` needs to find them, with a space before it; empty: nothing. */
  readonly option: string;
}

export const ISSUER_HOLDER: KeyHolder = { name: 'the issuer', option: '' };

/** @throws {PlumblineError} `ERR_CONFIG_INVALID` without an issuer */
export function issuerKeys(config: Pick<GatewayConfig, 'file' | 'issuer' | 'stateDirectory'>): KeptKeys {
  const { keys, lifetimeMs } = issuerOf(config);
  return { settings: keys, lifetimeMs, directory: keyDirectory(config.stateDirectory), holder: ISSUER_HOLDER };
}

/** Where the issuer's keys on disk are. */
export function keyDirectory(stateDirectory: string): string {
  return join(stateDirectory, 'keys', 'issuer');
}
