import type { JsonValue } from '#core/json.ts';
import { AnswerError, type Fields } from '../answer-fields.ts';
import type {
  AirflowApi,
  AirflowAssetEvent,
  AirflowDag,
  AirflowFeatures,
  AirflowHealth,
  AirflowRun,
  AirflowTask,
  AirflowTaskInstance,
  ApiVersion,
  ClearWish,
  ImportError,
  LogPiece,
  RunName,
  TriggerBody,
} from './airflow-api.ts';
import type { AirflowClient } from './airflow-client.ts';
import { type Dialect, dagPath, PAGE, part, query, runPath } from './dialect.ts';
import { type Pages, readPages } from './pages.ts';
import { readDag, readImportError, readTask } from './read-dag.ts';
import { readLog } from './read-log.ts';
import { readAssetEvent, readHealth, readNamedRun, readRun, readTaskInstance } from './read-run.ts';
import { readWait } from './read-wait.ts';
import { RunDates, runKeyOf } from './run-dates.ts';
import { TRIGGER_REFUSALS, triggerRefusal } from './trigger-refusal.ts';

/** What is known of a server before it is used. */
export interface KnownAirflow {
  readonly version: string;
  readonly features: AirflowFeatures;
}

const MOST_IMPORT_ERRORS = 20;
/** A step that is cancelled has 7.5 s until the agent's second signal. */
const STOP_ATTEMPTS = 2;
/** Beyond the interval at which the wait speaks. */
const SILENCE_MS = 15_000;
const HEALTH_MS = 5_000;
/** Behind so many pages of newer runs those still wanted are asked for by their names. */
const MOST_PAGES_OF_RUNS = 10;

/** Of a list that is not whole. */
const MOST_READINGS = 3;

/** An Airflow whose version is known, by its REST API. */
export class RestAirflow implements AirflowApi {
  readonly url: string;
  readonly api: ApiVersion;
  readonly version: string;
  readonly features: AirflowFeatures;
  readonly #client: AirflowClient;
  readonly #dialect: Dialect;
  readonly #dates: RunDates;

  constructor(client: AirflowClient, dialect: Dialect, { version, features }: KnownAirflow) {
    this.url = client.url;
    this.api = dialect.api;
    this.version = version;
    this.features = features;
    this.#client = client;
    this.#dialect = dialect;
    this.#dates = new RunDates(dialect.api);
  }

  dag(dagId: string, signal: AbortSignal): Promise<AirflowDag | undefined> {
    const what = `show the DAG ${dagId}`;
    return this.#client.get({ path: `${dagPath(dagId)}/details`, what, signal }, readDag);
  }

  async importErrors(file: string | undefined, signal: AbortSignal): Promise<readonly ImportError[]> {
    const path = this.#dialect.importErrors(file);
    const read = (fields: Fields) => fields.objects('import_errors').map(readImportError);
    const errors = (await this.#client.get({ path, what: 'list import errors', signal }, read)) ?? [];
    return errors.filter((error) => file === undefined || error.file.includes(file)).slice(0, MOST_IMPORT_ERRORS);
  }

  async tasks(dagId: string, signal: AbortSignal): Promise<readonly AirflowTask[]> {
    const what = `list the tasks of the DAG ${dagId}`;
    const read = (fields: Fields) => fields.objects('tasks').map(readTask);
    return (await this.#client.get({ path: `${dagPath(dagId)}/tasks`, what, signal }, read)) ?? [];
  }

  async setPaused(dagId: string, isPaused: boolean, signal: AbortSignal): Promise<void> {
    const path = `${dagPath(dagId)}${query({ update_mask: 'is_paused' })}`;
    const what = `${isPaused ? 'pause' : 'unpause'} the DAG ${dagId}`;
    await this.#client.send({ method: 'PATCH', path, body: { is_paused: isPaused }, what, signal, idempotent: true });
  }

  async run(dagId: string, runId: string, signal: AbortSignal): Promise<AirflowRun | undefined> {
    const read = (fields: Fields) => readNamedRun(fields, { dagId, runId });
    const run = await this.#client.get(
      { path: runPath({ dagId, runId }), what: `show the run ${runId}`, signal },
      read,
    );
    return run && this.#dates.seen(run);
  }

  async runs(wanted: readonly RunName[], signal: AbortSignal): Promise<readonly AirflowRun[]> {
    if (wanted.length === 0) return [];
    const missing = new Set(wanted.map(runKeyOf));
    const since = this.#dates.since(wanted);
    const { entries: listed } = await readPages(this.#client, {
      request: (offset) => this.#dialect.runs(wanted, since, offset),
      what: `list ${wanted.length} runs`,
      read: readRun,
      signal,
      isEnough: (runs) => runs.filter((run) => missing.has(runKeyOf(run))).length >= missing.size,
      mostPages: MOST_PAGES_OF_RUNS,
    });
    const found = listed.filter((run) => missing.delete(runKeyOf(run))).map((run) => this.#dates.seen(run));
    return [...found, ...(await this.#oneByOne(wanted, missing, signal))];
  }

  async #oneByOne(
    wanted: readonly RunName[],
    missing: ReadonlySet<string>,
    signal: AbortSignal,
  ): Promise<readonly AirflowRun[]> {
    const runs: AirflowRun[] = [];
    for (const name of wanted.filter((run) => missing.has(runKeyOf(run)))) {
      const run = await this.run(name.dagId, name.runId, signal);
      if (run !== undefined) runs.push(run);
    }
    return runs;
  }

  async runningRuns(dagId: string, signal: AbortSignal): Promise<number> {
    const path = `${dagPath(dagId)}/dagRuns${query({ state: 'running', limit: 1 })}`;
    const what = `count the running runs of the DAG ${dagId}`;
    return (await this.#client.get({ path, what, signal }, (fields) => fields.count('total_entries'))) ?? 0;
  }

  async trigger(dagId: string, body: TriggerBody, signal: AbortSignal): Promise<AirflowRun> {
    const { runId } = body;
    const what = `start the run ${runId} of the DAG ${dagId}`;
    const answer = await this.#client.send({
      method: 'POST',
      path: `${dagPath(dagId)}/dagRuns`,
      body: this.#dialect.trigger(body),
      what,
      signal,
      idempotent: false,
      also: TRIGGER_REFUSALS,
    });
    if (!answer.ok) throw triggerRefusal({ dagId, runId, airflow: this.url }, answer);
    return this.#dates.seen(this.#client.read({ what }, answer, (fields) => readNamedRun(fields, { dagId, runId })));
  }

  async setState(run: RunName, state: 'failed', signal: AbortSignal): Promise<AirflowRun> {
    const what = `stop the run ${run.runId}`;
    const answer = await this.#patch(runPath(run), { state }, what, signal);
    return this.#client.read({ what }, answer, (fields) => readNamedRun(fields, run));
  }

  async setNote(run: RunName, note: string, signal: AbortSignal): Promise<void> {
    await this.#patch(this.#dialect.note(run), { note }, `set the note of the run ${run.runId}`, signal);
  }

  #patch(path: string, body: { readonly [key: string]: JsonValue }, what: string, signal: AbortSignal) {
    const maxAttempts = STOP_ATTEMPTS;
    return this.#client.send({ method: 'PATCH', path, body, what, signal, idempotent: true, maxAttempts });
  }

  async clear({ dagId, runId }: RunName, wanted: ClearWish, signal: AbortSignal): Promise<number> {
    const what = `clear tasks of the run ${runId}`;
    const answer = await this.#client.send({
      method: 'POST',
      path: `${dagPath(dagId)}/clearTaskInstances`,
      body: {
        dry_run: false,
        dag_run_id: runId,
        task_ids: wanted.taskIds,
        only_failed: wanted.onlyFailed,
        reset_dag_runs: wanted.goesOn,
      },
      what,
      signal,
      idempotent: false,
    });
    return this.#client.read({ what }, answer, (fields) => fields.list('task_instances').length);
  }

  /** Airflow 2 gives its pages in no certain order: what came twice stands in the place of what did not come, and the list is read again. */
  async taskInstances(
    run: RunName,
    options: { readonly changedSince?: number | undefined; readonly signal: AbortSignal },
  ): Promise<readonly AirflowTaskInstance[]> {
    const what = `list the task instances of the run ${run.runId}`;
    const found = new Map<string, AirflowTaskInstance>();
    for (let reading = 1; reading <= MOST_READINGS; reading += 1) {
      const { entries, total } = await this.#instancePages(run, what, options);
      if (total === undefined) break;
      for (const one of entries) found.set(instanceKeyOf(one), one);
      if (found.size >= total) return [...found.values()];
    }
    // What is missing may have failed: a part, or none because somebody said 404, is not the whole.
    return this.#client.interpret({ what }, () => {
      throw new AnswerError('it does not give all of them');
    });
  }

  #instancePages(
    run: RunName,
    what: string,
    { changedSince, signal }: { readonly changedSince?: number | undefined; readonly signal: AbortSignal },
  ): Promise<Pages<AirflowTaskInstance>> {
    const since = changedSince === undefined ? undefined : new Date(changedSince).toISOString();
    return readPages(this.#client, {
      request: (offset) => ({
        method: 'GET',
        path: `${runPath(run)}/taskInstances${query({ limit: PAGE, offset, updated_at_gte: since })}`,
        list: 'task_instances',
      }),
      what,
      read: readTaskInstance,
      signal,
    });
  }

  async log(
    run: RunName,
    task: {
      readonly taskId: string;
      readonly mapIndex: number;
      readonly tryNumber: number;
      readonly from?: string | undefined;
    },
    signal: AbortSignal,
  ): Promise<LogPiece | undefined> {
    const what = `show the log of the task ${task.taskId}`;
    const options = query({ map_index: task.mapIndex, token: task.from });
    const path = `${runPath(run)}/taskInstances/${part(task.taskId)}/logs/${task.tryNumber}${options}`;
    const accept = this.#dialect.logAccept;
    const answer = await this.#client.send({ method: 'GET', path, accept, what, signal, also: [404] });
    return answer.status === 404 ? undefined : this.#client.interpret({ what }, () => readLog(answer));
  }

  xcom(
    run: RunName,
    value: { readonly taskId: string; readonly mapIndex: number; readonly key: string },
    signal: AbortSignal,
  ): Promise<JsonValue | undefined> {
    const what = `show the value ${value.key} of the task ${value.taskId}`;
    const read = (fields: Fields) => (fields.value('value') ?? null) as JsonValue;
    return this.#client.get({ path: this.#dialect.xcom(run, value), what, signal }, read);
  }

  async assetEvents(run: RunName, signal: AbortSignal): Promise<readonly AirflowAssetEvent[]> {
    const { entries } = await readPages(this.#client, {
      request: (offset) => this.#dialect.assetEvents(run, offset),
      what: `list the assets that the run ${run.runId} has written`,
      read: readAssetEvent,
      signal,
    });
    return entries;
  }

  async health(signal: AbortSignal): Promise<AirflowHealth | undefined> {
    const patience = AbortSignal.any([signal, AbortSignal.timeout(HEALTH_MS)]);
    try {
      return await this.#client.get(
        { path: this.#dialect.health, what: 'tell of its health', signal: patience },
        readHealth,
      );
    } catch {
      signal.throwIfAborted();
      return undefined;
    }
  }

  async *wait(run: RunName, intervalSeconds: number, signal: AbortSignal): AsyncGenerator<string, void, undefined> {
    const path = `${runPath(run)}/wait${query({ interval: intervalSeconds })}`;
    const idleMs = SILENCE_MS + intervalSeconds * 1_000;
    const chunks = await this.#client.stream({ path, what: `wait for the run ${run.runId}`, idleMs, signal });
    if (chunks !== undefined) yield* readWait(chunks);
  }
}

function instanceKeyOf({ taskId, mapIndex }: AirflowTaskInstance): string {
  return JSON.stringify([taskId, mapIndex]);
}
