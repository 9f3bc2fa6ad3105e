import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalAzure } from '#local-azure/local-azure.ts';
import { ROOT } from './repository.ts';
import { type AirflowServer, startAirflow } from './start-airflow.ts';
import {
  type ExampleGateway,
  type ExampleGatewayFiles,
  type ExampleGatewayOptions,
  startExampleGateway,
} from './start-example-gateway.ts';
import { freePort } from './start-luigid.ts';

const EXAMPLE = resolve(ROOT, 'examples/airflow');
const DAGS = readdirSync(join(EXAMPLE, 'dags')).filter((name) => name.endsWith('.py')).length;
const PARSED_WITHIN_MS = 60_000;

export interface AirflowWorldOptions extends Omit<ExampleGatewayOptions, 'airflowUrl'> {
  /** A Python with Airflow 3. */
  readonly python: string;
  /** Keeps an empty database of Airflow, which takes 10 s to make. */
  readonly cache?: string | undefined;
  /** Variables of Airflow, over those of this world. */
  readonly airflow?: ((gateway: Pick<ExampleGateway, 'url'>) => Record<string, string>) | undefined;
}

/** The Azure, the gateway and the Airflow 3 of examples/airflow, on loopback; the Airflow trusts tokens of the gateway. */
export interface AirflowWorld {
  readonly azure: LocalAzure;
  readonly gateway: ExampleGateway;
  readonly airflow: AirflowServer;
  readonly files: ExampleGatewayFiles;
  /** The database that the DAGs work on. */
  readonly orders: string;
  close(): Promise<void>;
}

/** @throws {Error} with the words of what did not start; then nothing is left running. */
export async function startAirflowWorld(options: AirflowWorldOptions): Promise<AirflowWorld> {
  const port = await freePort();
  const gateway = await startExampleGateway({ ...options, airflowUrl: `http://127.0.0.1:${port}` });
  try {
    const orders = makeOrders(join(options.folder, 'orders.db'));
    const airflow = await startTrusting(options, { gateway, port, orders });
    const close = async () => {
      await airflow.close();
      await gateway.close();
    };
    return { azure: gateway.azure, gateway, airflow, files: gateway.files, orders, close };
  } catch (error) {
    await gateway.close();
    throw error;
  }
}

/** The database on which the example's DAGs work. @returns its path */
export function makeOrders(path: string): string {
  const database = new DatabaseSync(path);
  database.exec(readFileSync(join(EXAMPLE, 'orders.sql'), 'utf8'));
  database.close();
  return path;
}

async function startTrusting(
  { python, cache, folder, airflow: settings }: AirflowWorldOptions,
  { gateway, port, orders }: { readonly gateway: ExampleGateway; readonly port: number; readonly orders: string },
): Promise<AirflowServer> {
  mkdirSync(join(folder, 'airflow'), { mode: 0o700 });
  const airflow = await startAirflow({
    line: '3',
    python,
    cache,
    port,
    folder: join(folder, 'airflow'),
    dags: join(EXAMPLE, 'dags'),
    settings: {
      AIRFLOW_CONN_ORDERS_DB: JSON.stringify({ conn_type: 'sqlite', host: orders }),
      ...gateway.trust,
      ...settings?.(gateway),
    },
  });
  try {
    await parsed(airflow);
    return airflow;
  } catch (error) {
    await airflow.close();
    throw error;
  }
}

/** Resolves when Airflow has read the example's DAGs; asked of its database, for which nobody has to sign in. */
async function parsed({ folder }: AirflowServer): Promise<void> {
  const until = Date.now() + PARSED_WITHIN_MS;
  const database = new DatabaseSync(join(folder, 'airflow.db'), { readOnly: true });
  const read = database.prepare('SELECT COUNT(DISTINCT dag_id) AS dags FROM serialized_dag');
  try {
    while (Number(read.get()?.['dags']) < DAGS) {
      if (Date.now() > until) throw new Error(`Airflow does not read its DAGs; see ${folder}/logs`);
      await sleep(200);
    }
  } finally {
    database.close();
  }
}
