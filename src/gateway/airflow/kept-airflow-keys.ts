import { join } from 'node:path';
import { PlumblineError } from '#core/errors.ts';
import type { AirflowConfig, GatewayConfig } from '../config/gateway-config.ts';
import type { KeptKeys } from '../issuer/kept-keys.ts';

/** The keys that are kept for one Airflow alone. */
export function keptAirflowKeys(
  { name, keys, lifetimeMs }: Pick<AirflowConfig, 'name' | 'keys' | 'lifetimeMs'>,
  stateDirectory: string,
): KeptKeys {
  return {
    settings: keys,
    lifetimeMs,
    directory: join(stateDirectory, 'keys', 'airflow', name),
    holder: { name: `Airflow ${name}`, option: ` --airflow ${name}` },
  };
}

/** @throws {PlumblineError} `ERR_CONFIG_INVALID` when the configuration has no Airflow of this name */
export function configuredAirflow(
  { airflow, file }: Pick<GatewayConfig, 'airflow' | 'file'>,
  name: string,
): AirflowConfig {
  const found = airflow.get(name);
  if (found) return found;
  const names = [...airflow.keys()].join(', ');
  throw new PlumblineError('ERR_CONFIG_INVALID', `Cannot use ${file}: it has no Airflow ${name.slice(0, 80)}`, {
    remedy: names === '' ? 'Add `airflow` to it; docs/gateway/airflow.md says how.' : `It has ${names}.`,
  });
}
