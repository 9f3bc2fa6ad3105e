import type { GatewayConfig } from '../config/gateway-config.ts';
import { readAirflowKeys } from './read-airflow-keys.ts';

/** What is wrong with the files of Airflows' public keys: sentences for whoever sets a gateway up. Those Airflows get no keys. */
export async function publicKeyGaps({ airflow }: Pick<GatewayConfig, 'airflow'>): Promise<readonly string[]> {
  const gaps = [...airflow.values()].map(async ({ name, publicKeysFile }) => {
    const why = await problemOf(publicKeysFile);
    return why === undefined ? [] : [`airflow '${name}' of the configuration: ${publicKeysFile} ${why}`];
  });
  return (await Promise.all(gaps)).flat();
}

async function problemOf(file: string): Promise<string | undefined> {
  try {
    await readAirflowKeys(file);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
