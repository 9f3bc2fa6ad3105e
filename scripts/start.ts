// npm start: runs examples/quickstart on this machine as an agent would, and says what came of it.
// npm start -- gateway: scripts/start-gateway.ts
// npm start -- airflow: scripts/start-airflow-example.ts
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import type { PipelineReport } from '#local-pipeline/pipeline-report.ts';
import { packageExtension } from './package-extension.ts';
import { ROOT } from './repository.ts';
import { tellOutcome } from './tell-outcome.ts';

const EXAMPLE = 'examples/quickstart';
const OUT = resolve(ROOT, 'out/quickstart');
const RESULT = resolve(OUT, 'result.json');

/** The pipeline in a process of its own: its live table has the terminal to itself, and Ctrl-C cancels it as a person would. */
function runQuickstart(): Promise<number> {
  const options = ['--azure', `${EXAMPLE}/azure.yml`, '--json', RESULT, '--out', OUT];
  const args = [resolve(ROOT, 'scripts/local.ts'), `${EXAMPLE}/azure-pipelines.yml`, ...options];
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
    cwd: ROOT,
    stdio: 'inherit',
  });
  process.on('SIGINT', () => undefined).on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((done, fail) => child.on('error', fail).on('exit', (code) => done(code ?? 1)));
}

async function startQuickstart(): Promise<void> {
  rmSync(OUT, { recursive: true, force: true });
  await packageExtension();
  process.exitCode = await runQuickstart();
  if (existsSync(RESULT)) tellOutcome(JSON.parse(readFileSync(RESULT, 'utf8')) as PipelineReport);
}

const [what, ...args] = process.argv.slice(2);
if (what === undefined) await startQuickstart();
else if (what === 'gateway') await (await import('./start-gateway.ts')).startGateway(args);
else if (what === 'airflow') await (await import('./start-airflow-example.ts')).startAirflowExample(args);
else {
  console.error('usage: npm start, or npm start -- gateway [--check], or npm start -- airflow [--check]');
  process.exitCode = 64;
}
