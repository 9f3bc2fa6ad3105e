import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ROOT } from '../../../scripts/repository.ts';
import { makeOrders } from '../../../scripts/start-airflow-world.ts';
import { AirflowUnderTest } from './airflow-under-test.ts';
import { FaultProxy } from './fault-proxy.ts';
import { LineageReceiver } from './lineage-receiver.ts';

const EXAMPLE = join(ROOT, 'examples/airflow');
const NOBODY = 'http://127.0.0.1:9';

/** `[openlineage] namespace` of this Airflow. */
export const OPENLINEAGE_NAMESPACE = 'airflow-prod';

/** A real Airflow with the DAGs of examples/airflow and what they need: a database, OpenLineage's provider, a way to a gateway. */
export class ExampleAirflow {
  readonly folder: string;
  readonly receiver: LineageReceiver;
  /** Stands where the DAGs look for the gateway. Leads nowhere until a test has it lead somewhere. */
  readonly gateway: FaultProxy;
  readonly airflow: AirflowUnderTest;

  private constructor(parts: Pick<ExampleAirflow, 'folder' | 'receiver' | 'gateway' | 'airflow'>) {
    this.folder = parts.folder;
    this.receiver = parts.receiver;
    this.gateway = parts.gateway;
    this.airflow = parts.airflow;
  }

  static async start(): Promise<ExampleAirflow> {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'plumbline-example-')));
    mkdirSync(join(folder, 'token'), { mode: 0o700 });
    makeOrders(join(folder, 'orders.db'));
    const [receiver, gateway] = [new LineageReceiver(folder), await FaultProxy.to(NOBODY)];
    try {
      const airflow = await startIn(folder, await receiver.start(), gateway.url);
      return new ExampleAirflow({ folder, receiver, gateway, airflow });
    } catch (error) {
      await Promise.all([receiver.close(), gateway.close()]);
      throw error;
    }
  }
  /** What the kubelet does. */
  writeToken(token: string): void {
    writeFileSync(join(this.folder, 'token', 'plumbline-token'), token, { mode: 0o600 });
  }

  /** Rows of the database on which the DAGs work. */
  rows(query: string): readonly Record<string, unknown>[] {
    const database = new DatabaseSync(join(this.folder, 'orders.db'), { readOnly: true });
    try {
      return database.prepare(query).all();
    } finally {
      database.close();
    }
  }

  async close(): Promise<void> {
    await this.airflow.close();
    await Promise.all([this.receiver.close(), this.gateway.close()]);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function startIn(folder: string, transport: string, gatewayUrl: string): Promise<AirflowUnderTest> {
  const airflow = await AirflowUnderTest.start({
    dags: join(EXAMPLE, 'dags'),
    settings: {
      AIRFLOW_CONN_ORDERS_DB: JSON.stringify({ conn_type: 'sqlite', host: join(folder, 'orders.db') }),
      AIRFLOW_CONN_PLUMBLINE_GATEWAY: JSON.stringify({ conn_type: 'http', host: gatewayUrl }),
      AIRFLOW__OPENLINEAGE__TRANSPORT: transport,
      AIRFLOW__OPENLINEAGE__NAMESPACE: OPENLINEAGE_NAMESPACE,
      PLUMBLINE_TOKEN_FOLDER: join(folder, 'token'),
      ORDERS_POKE_SECONDS: '10',
    },
  });
  try {
    await airflow.truth.parsed(['orders_reload', 'orders_watch']);
    return airflow;
  } catch (error) {
    await airflow.close();
    throw error;
  }
}

let shared: Promise<ExampleAirflow> | undefined;

/** The one that all tests of this process share; it is stopped after the last of them. */
export function exampleAirflow(): Promise<ExampleAirflow> {
  shared ??= ExampleAirflow.start();
  return shared;
}

after(async function () {
  this.timeout(60_000);
  await (await shared?.catch(() => undefined))?.close();
});
