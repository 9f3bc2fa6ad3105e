import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { PipelineReport } from '#local-pipeline/pipeline-report.ts';
import type { AirflowWorld } from './start-airflow-world.ts';

interface Seen {
  readonly ok: boolean;
  readonly what: string;
  readonly saw: string;
}

/** Looks at what a run of the example has left in every place, prints it, and says whether all of it is as it should be. */
export async function checkAirflowExample(
  world: AirflowWorld,
  report: PipelineReport,
  program: string,
): Promise<boolean> {
  const seen = [
    succeeded(report),
    loaded(world),
    triggeredBy(world),
    await verified(world, program),
    secrets(world, report),
  ];
  console.log();
  for (const { ok, what, saw } of seen) console.log(`${ok ? '✔' : '✘'} ${what}: ${saw}`);
  return seen.every(({ ok }) => ok);
}

function succeeded({ result, steps }: PipelineReport): Seen {
  const issues = steps.flatMap((step) => step.issues.map(({ message }) => message));
  return {
    ok: result === 'Succeeded' && issues.length === 0,
    what: 'the pipeline',
    saw: [result, ...issues].join('; '),
  };
}

function loaded({ orders }: AirflowWorld): Seen {
  const [row] = rows(orders, "SELECT COUNT(*) AS orders FROM rejected_orders WHERE day = '2026-11-20'");
  return { ok: row?.['orders'] === 0, what: 'rejected orders of the day that are left', saw: String(row?.['orders']) };
}

function triggeredBy({ airflow }: AirflowWorld): Seen {
  const [run, ...others] = rows(
    join(airflow.folder, 'airflow.db'),
    'SELECT run_id, state, triggering_user_name FROM dag_run',
  );
  const { run_id: id, state, triggering_user_name: user } = run ?? {};
  const ok = others.length === 0 && state === 'success' && user === 'orders-reload-pipeline';
  return { ok, what: 'Airflow on its one run', saw: `${id} ${state}, started by ${user}` };
}

async function verified({ files, gateway }: AirflowWorld, program: string): Promise<Seen> {
  await gateway.stop();
  const args = ['audit', 'verify', join(files.state, 'audit'), '--checkpoints', files.checkpoints];
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' });
  return { ok: status === 0, what: 'plumbline audit verify', saw: (stdout + stderr).trim().split('\n')[0] ?? '' };
}

function secrets({ gateway }: AirflowWorld, report: PipelineReport): Seen {
  const text = gateway.log() + readFileSync(report.log, 'utf8');
  const found = [...text.matchAll(/ey[\w-]{20,}\.[\w-]{20,}\.[\w-]+|-local-only/g)];
  return {
    ok: found.length === 0,
    what: 'tokens and passwords in the logs of gateway and pipeline',
    saw: String(found.length),
  };
}

function rows(path: string, query: string): Record<string, unknown>[] {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    return database.prepare(query).all();
  } finally {
    database.close();
  }
}
