import { resolve } from 'node:path';
import { PlumblineError } from '#core/errors.ts';
import { configFiles } from './config-files.ts';
import type { GatewayConfig } from './gateway-config.ts';
import { readGatewayConfig } from './read-gateway-config.ts';

/**
 * Reads and checks `gateway.yaml`. Relative paths in it are relative to its folder.
 *
 * @throws {PlumblineError} `ERR_CONFIG_INVALID`
 */
export function loadGatewayConfig(path: string): GatewayConfig {
  const file = resolve(path);
  return readGatewayConfig(file, contents(file), configFiles);
}

function contents(file: string): string {
  try {
    return configFiles.text(file);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new PlumblineError('ERR_CONFIG_INVALID', `Cannot read the configuration ${file}: ${why}`, {
      cause,
      remedy: 'Name the file with --config; docs/gateway/configuration.md has one to begin with.',
      details: { file },
    });
  }
}
