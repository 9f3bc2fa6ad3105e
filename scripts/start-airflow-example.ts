// npm start -- airflow [--check]: a real Airflow 3, the gateway that gives tokens for it, and a pipeline that runs one of its DAGs.
import { mkdirSync, rmSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { buildGateway } from './build-gateway.ts';
import { checkAirflowExample } from './check-airflow-example.ts';
import { packageExtension } from './package-extension.ts';
import { preparedVersions, pythonOf } from './python-environments.mjs';
import { ROOT } from './repository.ts';
import { runHere } from './run-here.ts';
import { type AirflowWorld, startAirflowWorld } from './start-airflow-world.ts';
import { tellOutcome } from './tell-outcome.ts';

const OUT = resolve(ROOT, 'out/airflow');
const EXIT = { Succeeded: 0, SucceededWithIssues: 0, Skipped: 0, Failed: 1, Canceled: 2 } as const;

/** The run of the pipeline for which the example's policy is written. */
export const ORDERS_RELOAD = {
  'System.DefinitionId': '12',
  'Build.DefinitionName': 'orders-reload',
  'Build.SourceBranch': 'refs/heads/main',
} as const;

/** Runs the example once and ends. With `--check` it also says whether everything was as it should be, and ends by that. */
export async function startAirflowExample(args: readonly string[]): Promise<void> {
  if (args.some((one) => one !== '--check')) {
    console.error('usage: npm start -- airflow [--check]');
    process.exitCode = 64;
    return;
  }
  rmSync(OUT, { recursive: true, force: true });
  // The world below it is for this user alone; beside it other commands have folders that workers of other users must reach.
  mkdirSync(OUT, { recursive: true });
  const [{ program }] = await Promise.all([buildGateway(), packageExtension()]);
  console.log('Airflow 3 comes up on this machine; that takes about 20 seconds.');
  const world = await startAirflowWorld({
    folder: join(OUT, 'world'),
    python: airflowPython(),
    program,
    cache: join(ROOT, '.cache/airflow'),
  });
  try {
    tell(world);
    const report = await runHere({
      file: resolve(ROOT, 'examples/airflow/azure-pipelines.yml'),
      out: join(OUT, 'pipeline'),
      services: world.azure,
      variables: ORDERS_RELOAD,
    });
    tellOutcome(report);
    process.exitCode = EXIT[report.result];
    if (args.includes('--check') && !(await checkAirflowExample(world, report, program))) process.exitCode = 1;
  } finally {
    await world.close();
  }
}

function airflowPython(): string {
  const [version] = preparedVersions(ROOT, 'airflow-3');
  if (version === undefined)
    throw new Error('There is no Python with Airflow 3: "npm run setup -- airflow-3" prepares one.');
  return pythonOf(ROOT, 'airflow-3', version);
}

function tell({ gateway, airflow, files }: AirflowWorld): void {
  const at = (path: string) => relative(ROOT, path);
  console.log(`
  Airflow   ${airflow.url}; the pipeline has no password of it; its logs are in ${at(airflow.folder)}/logs
  gateway   ${gateway.url}, which gives out tokens that this Airflow trusts; its log is ${at(files.log)}
  policy    examples/airflow/policy.yaml
  pipeline  examples/airflow/azure-pipelines.yml
`);
}
