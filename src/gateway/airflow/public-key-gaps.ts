import { readFileSync } from 'node:fs';
import type { GatewayConfig } from '../config/gateway-config.ts';
import { airflowPublicKeys } from './airflow-public-keys.ts';

/** What is wrong with the files of Airflows' public keys: sentences for whoever sets a gateway up. Those Airflows get no keys. */
export function publicKeyGaps({ airflow }: Pick<GatewayConfig, 'airflow'>): readonly string[] {
  return [...airflow.values()].flatMap(({ name, publicKeysFile }) => {
    const why = problemOf(publicKeysFile);
    return why === undefined ? [] : [`airflow '${name}' of the configuration: ${publicKeysFile} ${why}`];
  });
}

function problemOf(file: string): string | undefined {
  try {
    airflowPublicKeys(readFileSync(file, 'utf8'));
    return undefined;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code === undefined ? message : `cannot be read (${code})`;
  }
}
