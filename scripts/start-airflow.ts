import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, pbkdf2Sync } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import { airflowSettings, settingsOfPart } from './airflow-settings.ts';
import { AIRFLOW_ROLES, AIRFLOW_USERS } from './airflow-users.ts';
import { endGroup } from './end-group.ts';
import { groupsOfChildren, ProcessWatch } from './process-watch.ts';
import { ROOT } from './repository.ts';
import { freePort } from './start-luigid.ts';

export { AIRFLOW_USERS };

export type AirflowLine = '3' | '2.11';

export interface AirflowOptions {
  readonly line: AirflowLine;
  /** The Python of an environment that has this Airflow. */
  readonly python: string;
  /** AIRFLOW_HOME; made when it is not there. */
  readonly folder: string;
  /** Where the DAGs are. */
  readonly dags: string;
  /** @default a free one */
  readonly port?: number | undefined;
  /** Of Airflow 3. @default simple */
  readonly auth?: 'simple' | 'fab' | undefined;
  /** Deferrable tasks need it. @default false */
  readonly triggerer?: boolean | undefined;
  /** `AIRFLOW__SECTION__KEY` and other variables, over those that this file sets. */
  readonly settings?: Readonly<Record<string, string>> | undefined;
  /** Folder that keeps a database of this Airflow without anything in it; it takes 10 to 25 s to make one. */
  readonly cache?: string | undefined;
}

const PARTS = {
  '3': ['api-server', 'scheduler', 'dag-processor'],
  '2.11': ['webserver', 'scheduler'],
} as const satisfies Readonly<Record<AirflowLine, readonly string[]>>;

const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  // How long SIGTERM waits for open streams; the configuration has no such setting that is followed (3.3.2).
  'api-server': ['--worker-timeout', '5'],
  // Else log servers listen on every address.
  scheduler: ['--skip-serve-logs'],
  triggerer: ['--skip-serve-logs'],
};

/** A part that ends more often is broken. */
const MOST_DEATHS = 5;
const READY_MS = 180_000;

/** A real Airflow on loopback: SQLite, LocalExecutor. Resolves when its API answers. */
export async function startAirflow(options: AirflowOptions): Promise<AirflowServer> {
  const port = options.port ?? (await freePort());
  const server = new AirflowServer(options, port);
  try {
    await server.prepare();
    await server.startAll();
    return server;
  } catch (error) {
    await server.close();
    throw error;
  }
}

export class AirflowServer {
  readonly line: AirflowLine;
  readonly url: string;
  readonly folder: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly #options: AirflowOptions;
  readonly #parts = new Map<string, ChildProcess>();
  readonly #watch = new ProcessWatch();
  /** How often each part has ended by itself. */
  readonly #deaths = new Map<string, number>();

  constructor(options: AirflowOptions, port: number) {
    this.#options = options;
    this.line = options.line;
    this.folder = options.folder;
    this.url = `http://127.0.0.1:${port}`;
    this.environment = {
      ...environmentOf(options.python),
      ...airflowSettings(options, port),
      ...options.settings,
    };
  }

  /** Its database and users. */
  async prepare(): Promise<void> {
    mkdirSync(join(this.folder, 'logs'), { recursive: true });
    const passwords = Object.fromEntries(
      Object.values(AIRFLOW_USERS).map(({ username, password }) => [username, password]),
    );
    writeFileSync(join(this.folder, 'passwords.json'), JSON.stringify(passwords), { mode: 0o600 });
    const cached = this.#cachedDatabase();
    const database = join(this.folder, 'airflow.db');
    if (existsSync(database)) return;
    if (cached !== undefined && existsSync(cached)) return copyFileSync(cached, database);
    await this.#must(['db', 'migrate']);
    const hasUsers = this.#options.auth === 'fab' || this.line === '2.11';
    if (hasUsers) await this.#createUsers();
    writeAhead(database);
    if (hasUsers) hashCheaply(database);
    if (cached !== undefined) keep(database, cached);
  }

  /** Starts every part and resolves when the API answers. */
  async startAll(): Promise<void> {
    for (const part of this.#partNames()) this.start(part);
    await this.answers();
  }

  /** It leads a process group of its own: the executor's processes are in the scheduler's. */
  start(part: string): void {
    const log = openSync(join(this.folder, 'logs', `${part}.log`), 'a');
    const child = spawn(this.#program(), [part, ...(ARGUMENTS[part] ?? [])], {
      cwd: this.folder,
      env: { ...this.environment, ...settingsOfPart(this.#options, part) },
      stdio: ['ignore', log, log],
      detached: true,
    });
    this.#parts.set(part, child);
    if (child.pid !== undefined) this.#watch.leads(child.pid);
    child.once('exit', () => this.#startAgain(part, child));
  }

  /** As a service manager would: on SQLite, which no production has, a scheduler that meets a locked database ends. */
  #startAgain(part: string, child: ChildProcess): void {
    if (this.#parts.get(part) !== child) return;
    // What it started would work beside what its successor starts; and its number may soon be somebody else's.
    endGroup(child.pid, 'SIGKILL');
    if (child.pid !== undefined) this.#watch.isGone(child.pid);
    const deaths = (this.#deaths.get(part) ?? 0) + 1;
    this.#deaths.set(part, deaths);
    if (deaths > MOST_DEATHS) return;
    const again = () => this.#parts.get(part) === child && this.start(part);
    setTimeout(again, 1_000).unref();
  }

  /** The process that is a part now; `undefined` while the part is stopped. */
  processOf(part: string): ChildProcess | undefined {
    return this.#parts.get(part);
  }

  /** Ends a part with everything that it started. */
  async stop(part: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#parts.get(part);
    this.#parts.delete(part);
    if (child?.pid === undefined) return;
    const exited = child.exitCode !== null || child.signalCode !== null ? undefined : once(child, 'exit');
    const apart = groupsOfChildren(child.pid);
    endGroup(child.pid, signal);
    const patience = setTimeout(() => endGroup(child.pid, 'SIGKILL'), 15_000);
    await exited;
    clearTimeout(patience);
    for (const group of [child.pid, ...apart]) endGroup(group, 'SIGKILL');
    this.#watch.isGone(child.pid);
  }

  /** Resolves when its API answers, and knows who asks. */
  async answers(): Promise<void> {
    const until = Date.now() + READY_MS;
    while (Date.now() < until) {
      if (await this.#isReady()) return;
      this.#checkAlive();
      await sleep(200);
    }
    throw new Error(`Airflow ${this.line} does not answer at ${this.url}; see ${this.folder}/logs`);
  }

  /** The `airflow` command of this installation. */
  async airflow(args: readonly string[]): Promise<{ readonly code: number | null; readonly output: string }> {
    const child = spawn(this.#program(), args, { cwd: this.folder, env: this.environment });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, output };
  }

  /** Kills what is left. The folder stays. */
  async close(): Promise<void> {
    await Promise.all([...this.#parts.keys()].map((part) => this.stop(part, 'SIGKILL')));
    this.#watch.close();
  }

  /** The health that it tells of is that of before a restart for up to 30 s. */
  async #isReady(): Promise<boolean> {
    const { username, password } = AIRFLOW_USERS.admin;
    if (this.line === '3') {
      const body = JSON.stringify({ username, password });
      const login = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
      return (await isOk(`${this.url}/api/v2/version`)) && (await isOk(`${this.url}/auth/token`, login));
    }
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    return isOk(`${this.url}/api/v1/dags?limit=1`, { headers: { authorization } });
  }

  #partNames(): readonly string[] {
    return [...PARTS[this.line], ...(this.#options.triggerer ? ['triggerer'] : [])];
  }

  #program(): string {
    return join(dirname(this.#options.python), 'airflow');
  }

  #cachedDatabase(): string | undefined {
    const { cache, auth = 'simple' } = this.#options;
    return cache === undefined ? undefined : join(cache, `${this.line}-${auth}-${databaseDigest(this.line)}.db`);
  }

  async #createUsers(): Promise<void> {
    // Before this there are no roles but Admin and Public.
    await this.#must(['sync-perm']);
    for (const user of ['admin', 'viewer', 'steps'] as const) {
      const { username, password } = AIRFLOW_USERS[user];
      const name = ['-u', username, '-f', username, '-l', username, '-e', `${username}@localhost`];
      const fabRole = AIRFLOW_ROLES[user].replace(/^./, (first) => first.toUpperCase());
      await this.#must(['users', 'create', ...name, '-r', fabRole, '-p', password]);
    }
  }

  async #must(args: readonly string[]): Promise<void> {
    const { code, output } = await this.airflow(args);
    if (code !== 0)
      throw new Error(`airflow ${args.slice(0, 2).join(' ')} ended with ${code}:\n${output.slice(-4_000)}`);
  }

  #checkAlive(): void {
    for (const [part, { exitCode, signalCode }] of this.#parts) {
      const isAlive = exitCode === null && signalCode === null;
      if (isAlive || (this.#deaths.get(part) ?? 0) <= MOST_DEATHS) continue;
      const log = readFileSync(join(this.folder, 'logs', `${part}.log`), 'utf8');
      throw new Error(`Airflow's ${part} ended with ${exitCode ?? signalCode}:\n${log.slice(-4_000)}`);
    }
  }
}

/** What decides what is in a new database: the versions of all packages, and the users. */
function databaseDigest(line: AirflowLine): string {
  const lock = readFileSync(join(ROOT, 'scripts/python', `airflow-${line}.txt`));
  return createHash('sha256')
    .update(lock)
    .update(JSON.stringify([AIRFLOW_USERS, AIRFLOW_ROLES, 'write-ahead', 'cheap hashes']))
    .digest('hex')
    .slice(0, 12);
}

/** Only what a program needs; whatever the shell has set for another Airflow stays out. */
function environmentOf(python: string): Record<string, string> {
  const passed = ['HOME', 'LANG', 'TMPDIR', 'TZ', 'USER'].flatMap((name) => {
    const value = process.env[name];
    return value === undefined ? [] : [[name, value] as const];
  });
  // The executor of 2.11 starts `airflow` by its name.
  return { ...Object.fromEntries(passed), PATH: `${dirname(python)}:${process.env['PATH'] ?? ''}` };
}

/** Who reads waits for nobody who writes. Airflow 3 does this itself; the file remembers it. */
function writeAhead(database: string): void {
  const file = new DatabaseSync(database);
  file.exec('PRAGMA journal_mode=WAL');
  file.close();
}

/** 2.11 hashes the password at each request, which is most of what its web server does. These passwords are in the repository. */
function hashCheaply(database: string): void {
  const file = new DatabaseSync(database);
  const update = file.prepare('UPDATE ab_user SET password = ? WHERE username = ?');
  for (const { username, password } of Object.values(AIRFLOW_USERS))
    update.run(`pbkdf2:sha256:1$salt$${pbkdf2Sync(password, 'salt', 1, 32, 'sha256').toString('hex')}`, username);
  file.close();
}

function keep(database: string, cached: string): void {
  mkdirSync(dirname(cached), { recursive: true });
  const partial = `${cached}.${process.pid}`;
  copyFileSync(database, partial);
  renameSync(partial, cached);
}

async function isOk(url: string, request: RequestInit = {}): Promise<boolean> {
  try {
    return (await fetch(url, { ...request, signal: AbortSignal.timeout(5_000) })).ok;
  } catch {
    return false;
  }
}
