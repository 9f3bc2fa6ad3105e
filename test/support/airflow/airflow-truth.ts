import { setTimeout as sleep } from 'node:timers/promises';
import { AIRFLOW_USERS } from '../../../scripts/airflow-users.ts';
import type { AirflowLine } from '../../../scripts/start-airflow.ts';

export interface TrueRun {
  readonly dag_run_id: string;
  readonly state: string;
  readonly conf: Readonly<Record<string, unknown>>;
  readonly note: string | null;
  readonly logical_date: string | null;
  readonly start_date: string | null;
  readonly end_date: string | null;
}

export interface TrueTask {
  readonly task_id: string;
  readonly map_index: number;
  readonly state: string | null;
  readonly try_number: number;
}

interface ImportError {
  readonly filename: string;
  readonly stack_trace: string;
}

const LONGEST_MS = 120_000;

/** What an Airflow itself says, read and written without any of the product's code. */
export class AirflowTruth {
  readonly line: AirflowLine;
  readonly #url: string;
  readonly #base: string;
  readonly #user: { readonly username: string; readonly password: string };
  #authorization: Promise<string> | undefined;

  constructor(line: AirflowLine, url: string, user: { username: string; password: string } = AIRFLOW_USERS.admin) {
    this.line = line;
    this.#url = url;
    this.#base = `${url}/api/${line === '3' ? 'v2' : 'v1'}`;
    this.#user = user;
  }

  /** The value of the `authorization` header for the user. */
  authorization(): Promise<string> {
    this.#authorization ??= this.line === '3' ? this.token().then((token) => `Bearer ${token}`) : this.#basic();
    return this.#authorization;
  }

  /** A token of Airflow 3's own login. */
  async token(): Promise<string> {
    const answer = await fetch(`${this.#url}/auth/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(this.#user),
    });
    if (answer.status !== 201) throw new Error(`no token: ${answer.status} ${await answer.text()}`);
    return ((await answer.json()) as { access_token: string }).access_token;
  }

  /** Any request; `path` begins after the version. */
  async ask<T>(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly body: T }> {
    const answer = await fetch(`${this.#base}${path}`, {
      method,
      headers: { authorization: await this.authorization(), 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (text !== '' && !/\bjson\b/.test(answer.headers.get('content-type') ?? ''))
      throw new Error(`${method} ${path} was answered ${answer.status}: ${text.slice(0, 500)}`);
    return { status: answer.status, body: (text === '' ? undefined : JSON.parse(text)) as T };
  }

  async #good<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.ask<T>(method, path, body);
    if (answer.status < 300) return answer.body;
    throw new Error(`${method} ${path} was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  }

  /** Starts a run that the product knows nothing of. */
  trigger(dag: string, run: string, conf: object = {}): Promise<TrueRun> {
    const date = this.line === '3' ? { logical_date: null } : {};
    return this.#good('POST', `/dags/${dag}/dagRuns`, { dag_run_id: run, conf, ...date });
  }

  async run(dag: string, run: string): Promise<TrueRun | undefined> {
    const { status, body } = await this.ask<TrueRun>('GET', `/dags/${dag}/dagRuns/${encodeURIComponent(run)}`);
    return status === 200 ? body : undefined;
  }

  async runs(dag: string): Promise<readonly TrueRun[]> {
    return (await this.#good<{ dag_runs: TrueRun[] }>('GET', `/dags/${dag}/dagRuns?limit=100`)).dag_runs;
  }

  setState(dag: string, run: string, state: 'failed' | 'success' | 'queued'): Promise<TrueRun> {
    return this.#good('PATCH', `/dags/${dag}/dagRuns/${encodeURIComponent(run)}`, { state });
  }

  async isPaused(dag: string): Promise<boolean> {
    return (await this.#good<{ is_paused: boolean }>('GET', `/dags/${dag}`)).is_paused;
  }

  async setPaused(dag: string, paused: boolean): Promise<void> {
    await this.#good('PATCH', `/dags/${dag}`, { is_paused: paused });
  }

  /** Every task instance, whatever the page's limit is. */
  async tasks(dag: string, run: string): Promise<readonly TrueTask[]> {
    const found: TrueTask[] = [];
    for (;;) {
      const path = `/dags/${dag}/dagRuns/${encodeURIComponent(run)}/taskInstances?limit=100&offset=${found.length}`;
      const page = await this.#good<{ task_instances: TrueTask[]; total_entries: number }>('GET', path);
      found.push(...page.task_instances);
      if (found.length >= page.total_entries || page.task_instances.length === 0) return found;
    }
  }

  /** State of each task instance, by `task` or `task[index]`. */
  async states(dag: string, run: string): Promise<Readonly<Record<string, string | null>>> {
    const tasks = await this.tasks(dag, run);
    return Object.fromEntries(
      tasks.map(({ task_id, map_index, state }) => [map_index < 0 ? task_id : `${task_id}[${map_index}]`, state]),
    );
  }

  async dags(): Promise<readonly string[]> {
    const { dags } = await this.#good<{ dags: { dag_id: string }[] }>('GET', '/dags?limit=100');
    return dags.map(({ dag_id }) => dag_id);
  }

  /** File names and tracebacks. */
  async importErrors(): Promise<readonly ImportError[]> {
    return (await this.#good<{ import_errors: ImportError[] }>('GET', '/importErrors?limit=100')).import_errors;
  }

  /** Waits until these DAGs are there. */
  async parsed(wanted: readonly string[]): Promise<void> {
    let missing = wanted;
    const isThere = async () => {
      const there = await this.dags();
      missing = wanted.filter((dag) => !there.includes(dag));
      return missing.length === 0;
    };
    await until(isThere, async () => {
      const errors = (await this.importErrors()).map(({ filename, stack_trace }) => `${filename}:\n${stack_trace}`);
      return `these DAGs were not parsed: ${missing.join(', ')}\n${errors.join('\n')}`;
    });
  }

  /** Waits until the run is in one of these states, or until what is asked of it holds. */
  async runIs(
    dag: string,
    run: string,
    wanted: readonly string[] | ((run: TrueRun) => boolean),
    longestMs?: number,
  ): Promise<TrueRun> {
    let last: TrueRun | undefined;
    const fits = typeof wanted === 'function' ? wanted : ({ state }: TrueRun) => wanted.includes(state);
    await until(
      async () => {
        last = await this.run(dag, run);
        return last !== undefined && fits(last);
      },
      async () => `the run ${run} of ${dag} was last ${last?.state ?? 'not there'}`,
      longestMs,
    );
    return last as TrueRun;
  }

  /** Waits until a task instance is in one of these states. */
  async taskIs(dag: string, run: string, task: string, wanted: readonly string[]): Promise<void> {
    let last: string | null | undefined;
    await this.runIs(dag, run, () => true);
    await until(
      async () => {
        last = (await this.states(dag, run))[task];
        return wanted.includes(last ?? '');
      },
      async () => `${task} of ${run} was last ${last}`,
    );
  }

  async #basic(): Promise<string> {
    const { username, password } = this.#user;
    return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
  }
}

/** Asks until it is so; says what it was instead when that does not come. */
export async function until(
  isSo: () => Promise<boolean>,
  otherwise: () => Promise<string>,
  longestMs = LONGEST_MS,
): Promise<void> {
  const end = Date.now() + longestMs;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(await otherwise());
    await sleep(150);
  }
}
