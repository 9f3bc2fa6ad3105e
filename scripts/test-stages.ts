import { existsSync, readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { packagedNode } from './node-packages.mjs';
import { preparedVersions, pythonOf } from './python-environments.mjs';
import { ROOT } from './repository.ts';
import type { AirflowLine } from './start-airflow.ts';
import { mochaCounts, pytestCounts, type TestCounts } from './test-counts.ts';

/** Tests that run in one process. */
export interface Stage {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly counts: (output: string) => TestCounts;
  /** The runner keeps temporary files when it ends; it gets a folder of its own, which is removed. */
  readonly leavesFiles?: boolean;
  /** Milliseconds after which it is taken to hang; 25 minutes when it does not say. */
  readonly limitMs?: number;
  /** Everything that it prints is shown, not only what failed. */
  readonly told?: boolean;
}

/** Everything that `npm test` runs, quick answers first. `first` builds what the others use. */
export function testStages(): { first: Stage[]; rest: Stage[] } {
  const airflow = airflowStages();
  return {
    first: [mocha('architecture', 'test/architecture'), mocha('unit', 'test/unit')],
    rest: [
      airflow.three,
      mocha('contract', 'test/contract'),
      ...taskStages(),
      airflow.threeApart,
      ...optionalMocha('engines', 'test/engines'),
      ...optionalMocha('gateway', 'test/gateway'),
      airflow.two,
      ...pytestStages(),
    ],
  };
}

/** One folder or file of tests, e.g. `test/unit/lineage`; Python's run on the newest Python there is. */
export function stageOf(path: string): Stage {
  const [version] = preparedVersions(ROOT, 'test');
  if (!path.startsWith('test/worker')) return mocha(path, path);
  if (version === undefined) throw new Error('There is no Python for the tests of the worker.');
  return pytest(path, version, [path]);
}

/** The long ones, a file each: chaos, hostile text for minutes, ten thousand of each. */
export function soakStages(): Stage[] {
  const files = readdirSync(resolve(ROOT, 'test/soak')).filter((name) => name.endsWith('.test.ts'));
  return files
    .sort()
    .map((name) => ({ ...mocha(`soak: ${name}`, `test/soak/${name}`), limitMs: SOAK_LIMIT_MS, told: true }));
}

const SOAK_LIMIT_MS = 30 * 60_000;

/** The task's tests, once on each Node that an agent may take. */
function taskStages(): Stage[] {
  const majors = ([24, 20] as const).filter((major) => packagedNode(ROOT, major) !== undefined);
  return majors.flatMap((major) =>
    optionalMocha(`task on Node ${major}`, 'test/task').map((stage) => ({
      ...stage,
      env: { PLUMBLINE_TASK_NODE: String(major) },
    })),
  );
}

/** Only Airflow 3 can pass them. */
const OF_AIRFLOW_3 = 'test/airflow/**/*.airflow-3.test.ts';
/** They start Airflows of their own, because a gateway or a provider belongs to it. */
const OWN_AIRFLOWS = ['test/airflow/examples.test.ts', 'test/airflow/lineage.test.ts'];

/**
 * The tests against real Airflows, once on each line. Those of Airflow 3 take twice as long and are mostly waiting, so they are
 * two stages, each with an Airflow of its own.
 */
function airflowStages(): { readonly three: Stage; readonly threeApart: Stage; readonly two: Stage } {
  const of = (name: string, line: AirflowLine, files: readonly string[], ignored: readonly string[]): Stage => {
    const { args, ...stage } = mocha(name, 'test/airflow');
    const ignore = ignored.flatMap((pattern) => ['--ignore', pattern]);
    const env = { PLUMBLINE_AIRFLOW: line };
    return {
      ...stage,
      args: [...args.slice(0, -1), ...files, ...ignore],
      env,
      limitMs: AIRFLOW_LIMIT_MS,
      leavesFiles: true,
    };
  };
  const all = ['test/airflow/**/*.test.ts'];
  return {
    three: of('airflow 3', '3', all, [OF_AIRFLOW_3, ...OWN_AIRFLOWS]),
    threeApart: of('airflow 3 with a gateway', '3', [OF_AIRFLOW_3, ...OWN_AIRFLOWS], []),
    two: of('airflow 2.11', '2.11', all, [OF_AIRFLOW_3]),
  };
}

const AIRFLOW_LIMIT_MS = 30 * 60_000;

/** The worker on every Python there is: all tests with the newest Luigi, a selection with the oldest that it supports. */
function pytestStages(): Stage[] {
  const newest = preparedVersions(ROOT, 'test').map((version) =>
    pytest(`worker on Python ${version}`, version, ['test/worker']),
  );
  const oldest = preparedVersions(ROOT, 'luigi-oldest').map((version) => {
    const python = pythonOf(ROOT, 'luigi-oldest', version);
    return pytest(`worker with the oldest Luigi on Python ${version}`, version, ['-m', 'smoke', 'test/worker'], {
      WORKER_PYTHON: python,
    });
  });
  return [...newest, ...oldest];
}

function pytest(name: string, version: string, selection: readonly string[], env: Stage['env'] = {}): Stage {
  const args = ['-m', 'pytest', '-o', 'addopts=', '-q', '-rs', '-p', 'no:cacheprovider', ...selection];
  const command = pythonOf(ROOT, 'test', version);
  return {
    name,
    command,
    args,
    env: { ...env, PYTHONDONTWRITEBYTECODE: '1' },
    counts: pytestCounts,
    leavesFiles: true,
  };
}

function optionalMocha(name: string, folder: string): Stage[] {
  return existsSync(resolve(ROOT, folder)) ? [mocha(name, folder)] : [];
}

/** Milliseconds that one test may take; the others have what .mocharc.json says. */
const LIMITS: Readonly<Record<string, number>> = {
  'test/task': 120_000,
  'test/airflow': 120_000,
  'test/gateway': 120_000,
  'test/soak': 600_000,
};

function mocha(name: string, path: string): Stage {
  const program = resolve(ROOT, 'node_modules/mocha/bin/mocha.js');
  const limit = Object.entries(LIMITS).find(([folder]) => path.startsWith(folder))?.[1];
  const options = limit === undefined ? [] : ['--timeout', String(limit)];
  const args = [program, '--no-color', ...options, path.endsWith('.ts') ? path : `${path}/**/*.test.ts`];
  return { name, command: process.execPath, args, env: {}, counts: mochaCounts };
}
