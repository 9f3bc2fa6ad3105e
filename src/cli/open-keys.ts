import { systemClock } from '#core/clock.ts';
import type { GatewayConfig } from '#gateway/config/gateway-config.ts';
import type { KeyAdministration } from '#gateway/issuer/administer-keys.ts';
import type { KeptKeys } from '#gateway/issuer/kept-keys.ts';
import type { Arguments } from './arguments.ts';
import type { Option } from './command.ts';

/** Of every command about signing keys. */
export const KEY_OPTIONS = {
  config: {
    value: 'FILE',
    help: "the gateway's configuration; to be used as the gateway's user",
    required: true,
  },
  airflow: { value: 'NAME', help: "the keys for this Airflow of the configuration, instead of the issuer's" },
} as const satisfies Readonly<Record<string, Option>>;

/** Whose keys, and the configuration that says so. */
export interface NamedKeys {
  readonly config: GatewayConfig;
  readonly kept: KeptKeys;
}

/** @throws {PlumblineError} */
export async function namedKeys(given: Arguments): Promise<NamedKeys> {
  const { loadGatewayConfig } = await import('#gateway/config/load-gateway-config.ts');
  const { issuerKeys } = await import('#gateway/issuer/kept-keys.ts');
  const { configuredAirflow, keptAirflowKeys } = await import('#gateway/airflow/kept-airflow-keys.ts');
  const config = loadGatewayConfig(given.required('config'));
  const name = given.optional('airflow');
  if (name === undefined) return { config, kept: issuerKeys(config) };
  return { config, kept: keptAirflowKeys(configuredAirflow(config, name), config.stateDirectory) };
}

/** The keys on disk that a configuration names. @throws {PlumblineError} */
export async function openKeys(given: Arguments): Promise<KeyAdministration> {
  const { administerKeys } = await import('#gateway/issuer/administer-keys.ts');
  const { kept } = await namedKeys(given);
  return administerKeys(kept, systemClock);
}
