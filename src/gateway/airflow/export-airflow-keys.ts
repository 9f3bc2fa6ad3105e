import { join } from 'node:path';
import { PlumblineError } from '#core/errors.ts';
import type { AirflowConfig, GatewayConfig } from '../config/gateway-config.ts';
import { publicKeysOf } from '../issuer/configured-keys.ts';
import { writeDocument } from '../issuer/export-issuer.ts';
import { keysDocument } from '../issuer/issuer-documents.ts';
import type { PublicKey } from '../issuer/token-issuer.ts';
import { collision } from './airflow-issuer.ts';
import { keptAirflowKeys } from './kept-airflow-keys.ts';
import { readAirflowKeys } from './read-airflow-keys.ts';

/**
 * Writes what an Airflow verifies tokens by, its own keys included, as `jwks.json`: for an Airflow that does not reach the gateway.
 *
 * @returns the path
 * @throws {PlumblineError} `ERR_ISSUER_UNAVAILABLE` when a part is missing, `ERR_FILE_UNREADABLE`
 */
export async function exportAirflowKeys(
  directory: string,
  airflow: AirflowConfig,
  config: GatewayConfig,
): Promise<string> {
  const own = await ownKeys(airflow);
  const ours = await publicKeysOf(keptAirflowKeys(airflow, config.stateDirectory), config);
  const why = ours.length === 0 ? 'none of the keys for it is in force yet' : collision(own, ours);
  const set = keysDocument([...own, ...ours]);
  if (why !== undefined || set === undefined) throw incomplete(airflow.name, why ?? 'there are none');
  return writeDocument(join(directory, 'jwks.json'), set);
}

async function ownKeys({ name, publicKeysFile }: AirflowConfig): Promise<readonly PublicKey[]> {
  try {
    return await readAirflowKeys(publicKeysFile);
  } catch (cause) {
    throw new PlumblineError('ERR_FILE_UNREADABLE', `Cannot use ${publicKeysFile}: it ${(cause as Error).message}`, {
      cause,
      remedy: `It has to be the JWKS of the public keys by which Airflow ${name} signs itself; docs/gateway/airflow.md says where from.`,
    });
  }
}

function incomplete(name: string, why: string): PlumblineError {
  return new PlumblineError('ERR_ISSUER_UNAVAILABLE', `Cannot export the keys for Airflow ${name}: ${why}`, {
    remedy: 'Start the gateway once: it makes the first key, unless there is one, and puts it on record.',
  });
}
