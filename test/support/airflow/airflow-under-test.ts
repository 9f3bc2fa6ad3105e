import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { AIRFLOW_USERS } from '../../../scripts/airflow-users.ts';
import { pythonOf } from '../../../scripts/python-environments.mjs';
import { ROOT } from '../../../scripts/repository.ts';
import {
  type AirflowLine,
  type AirflowOptions,
  type AirflowServer,
  startAirflow,
} from '../../../scripts/start-airflow.ts';
import { AirflowTruth } from './airflow-truth.ts';
import { DagRepository } from './dag-repository.ts';

/** Which Airflow the tests of this process are run against. */
export const LINE: AirflowLine = lineOf(process.env['PLUMBLINE_AIRFLOW'] ?? '3');

const FIXTURES = join(ROOT, 'test/fixtures/airflow/dags');
/** DAGs that have to be there before a test begins; their files come last by name. */
const LAST_DAGS = ['three', 'flow_two_fail'];

/** A real Airflow in a folder of its own, with its own copy of the fixture DAGs. */
export class AirflowUnderTest {
  readonly line: AirflowLine;
  readonly server: AirflowServer;
  /** As the administrator. */
  readonly truth: AirflowTruth;
  readonly folder: string;

  /** The repository behind the bundle `versioned`, only of an Airflow 3 with the fixture DAGs. */
  readonly repository: DagRepository | undefined;

  private constructor(server: AirflowServer, folder: string, repository: DagRepository | undefined) {
    this.repository = repository;
    this.line = server.line;
    this.server = server;
    this.folder = folder;
    this.truth = new AirflowTruth(server.line, server.url);
  }

  /** Resolves when it answers and has read its DAGs. */
  static async start(more: Partial<AirflowOptions> = {}): Promise<AirflowUnderTest> {
    const folder = realpathSync(mkdtempSync(join(tmpdir(), 'plumbline-airflow-')));
    const dags = join(folder, 'dags');
    cpSync(FIXTURES, dags, { recursive: true, filter: (path) => !path.includes('__pycache__') });
    const line = more.line ?? LINE;
    const repository =
      line === '3' && more.dags === undefined ? DagRepository.create(join(folder, 'repository')) : undefined;
    const server = await startAirflow({
      line,
      python: pythonOf(ROOT, `airflow-${line}`),
      folder: join(folder, 'home'),
      dags,
      triggerer: true,
      cache: join(ROOT, '.cache/airflow'),
      ...more,
      settings: { ...SETTINGS, ...(repository && bundles(dags, repository)), ...more.settings },
    });
    const airflow = new AirflowUnderTest(server, folder, repository);
    try {
      if (more.dags === undefined) await airflow.truth.parsed(LAST_DAGS);
      return airflow;
    } catch (error) {
      await airflow.close();
      throw error;
    }
  }

  get url(): string {
    return this.server.url;
  }

  /** Puts a file where its DAGs are. */
  addDagFile(name: string, text: string): void {
    const path = join(this.folder, 'dags', name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }

  removeDagFile(name: string): void {
    rmSync(join(this.folder, 'dags', name));
  }

  /** Names of what the tasks of this run have left behind (`mark` in flows.py). */
  marks(run: string): readonly string[] {
    const folder = join(this.server.folder, 'marks', run);
    return existsSync(folder) ? readdirSync(folder).sort() : [];
  }

  /** As one of its users. */
  as(user: keyof typeof AIRFLOW_USERS): AirflowTruth {
    return new AirflowTruth(this.line, this.url, AIRFLOW_USERS[user]);
  }

  async close(): Promise<void> {
    await this.server.close();
    if (process.env['PLUMBLINE_KEEP'] !== '1') rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Files are read when they have changed; to read all of them all the time takes a processor of its own. */
const SETTINGS = {
  AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL: '15',
  AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL: '15',
  // Tasks of Airflow 3 live through a restart of the API server, which takes longer on a busy machine.
  AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS: '30',
  AIRFLOW__WORKERS__EXECUTION_API_RETRIES: '12',
  AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX: '5',
};

/** Beside the folder of DAGs, whose bundle has no versions, one from a git repository. */
function bundles(dags: string, { folder }: DagRepository): Record<string, string> {
  const list = [
    {
      name: 'dags-folder',
      classpath: 'airflow.dag_processing.bundles.local.LocalDagBundle',
      kwargs: { path: dags, refresh_interval: 2 },
    },
    {
      name: 'versioned',
      classpath: 'airflow.providers.git.bundles.git.GitDagBundle',
      kwargs: { repo_url: folder, tracking_ref: 'main', refresh_interval: 2 },
    },
  ];
  return { AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST: JSON.stringify(list) };
}

let shared: Promise<AirflowUnderTest> | undefined;

/** The one that all tests of this process share; it is stopped after the last of them. */
export function airflowUnderTest(): Promise<AirflowUnderTest> {
  shared ??= AirflowUnderTest.start();
  return shared;
}

/** Mocha knows this hook as one of the whole run, whichever file imported this one first. */
after(async function () {
  this.timeout(60_000);
  await (await shared?.catch(() => undefined))?.close();
});

function lineOf(text: string): AirflowLine {
  if (text === '3' || text === '2.11') return text;
  throw new TypeError(`PLUMBLINE_AIRFLOW is ${text}; it may be 3 or 2.11`);
}
