import { systemClock } from '#core/clock.ts';
import type { KeyAdministration } from '#gateway/issuer/administer-keys.ts';
import type { Arguments } from './arguments.ts';
import type { Option } from './command.ts';

/** Of every command about the keys of the issuer. */
export const ISSUER_CONFIG: Option = {
  value: 'FILE',
  help: "the gateway's configuration; to be used as the gateway's user",
  required: true,
};

/** The keys on disk that a configuration names. @throws {PlumblineError} */
export async function openKeys(given: Arguments): Promise<KeyAdministration> {
  const { loadGatewayConfig } = await import('#gateway/config/load-gateway-config.ts');
  const { administerKeys } = await import('#gateway/issuer/administer-keys.ts');
  return administerKeys(loadGatewayConfig(given.required('config')), systemClock);
}
