import { systemClock } from '#core/clock.ts';
import type { PublicKey } from '../issuer/token-issuer.ts';
import { readPolicyFile } from '../policy/read-policy-file.ts';
import { airflowPublicKeys } from './airflow-public-keys.ts';

/**
 * The public keys of an Airflow as they stand in a file, for commands: what the gateway would not take, they do not either.
 *
 * @throws {Error} why it cannot be used, to be read behind the file's name
 */
export async function readAirflowKeys(file: string): Promise<readonly PublicKey[]> {
  const { bytes, problem } = await readPolicyFile(file, systemClock, 0);
  if (bytes === undefined) throw new Error(problem.message);
  return airflowPublicKeys(Buffer.from(bytes).toString('utf8'));
}
