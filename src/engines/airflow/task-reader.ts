import type { Writable } from 'node:stream';
import type { Clock } from '#core/clock.ts';
import type { Dataset } from '#core/dataset.ts';
import { PlumblineError } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import type { Finding, RunUpdate, TaskRecord } from '#core/run.ts';
import { oneLine } from '#core/task-name.ts';
import type { AirflowApi, RunName } from './airflow-api.ts';
import { AirflowLedger } from './airflow-ledger.ts';
import { assetDataset } from './asset-dataset.ts';
import { FailureLogs } from './failure-logs.ts';
import { backOff } from './poll-intervals.ts';
import { TaskStructure, taskInstanceId } from './task-structure.ts';
import { mayPass } from './watch-run.ts';

export interface TaskReading {
  readonly api: AirflowApi;
  readonly run: RunName;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  readonly signal: AbortSignal;
  /** For so long a server that does not answer is asked for the end of the tasks. Milliseconds. */
  readonly lostAfterMs: number;
  readonly output?: Writable | undefined;
  readonly log?: Pick<Logger, 'debug' | 'info'> | undefined;
}

/** What changed when a server wrote it down a moment late is asked for once more. */
const MARGIN_MS = 5_000;
/** How often task instances that are answered, but not in a way that can be used, are asked for after the run has ended. */
const MOST_LAST_READS = 6;
/** A server that answers and fails at just this, 500, will most likely fail the next time too: the verdict waits no longer for it. */
const FAILING_MS = 60_000;
const REASON_LENGTH = 300;

/** Reads the task instances of a run, the logs of those that fail, and what they wrote. */
export class TaskReader {
  readonly #reading: TaskReading;
  readonly #ledger = new AirflowLedger(new TaskStructure([]));
  readonly #logs: FailureLogs;
  readonly #unreadableLogs = new Map<string, Finding>();
  #isStructured = false;
  #hasReadAll = false;
  /** Why nobody may read them; what was refused once is asked for again only at the end. */
  #refused: PlumblineError | undefined;

  constructor(reading: TaskReading) {
    this.#reading = reading;
    this.#logs = new FailureLogs(reading);
  }

  get records(): readonly TaskRecord[] {
    return this.#ledger.records();
  }

  get isSettled(): boolean {
    return this.#ledger.isSettled;
  }

  get isRefused(): boolean {
    return this.#refused !== undefined;
  }

  /** About what could not be read. */
  get findings(): readonly Finding[] {
    return [...this.#unreadableLogs.values()];
  }

  /** What changed since the read before; nothing when the server does not tell now, or tells nobody. */
  async read(): Promise<readonly RunUpdate[]> {
    const { api, run, clock, signal } = this.#reading;
    const { serverTime } = this.#ledger;
    const changedSince = this.#hasReadAll && serverTime !== undefined ? serverTime - MARGIN_MS : undefined;
    try {
      await this.#structure();
      const instances = await api.taskInstances(run, { changedSince, signal });
      this.#hasReadAll = true;
      return await this.#explained(this.#ledger.fold(instances, { at: clock.now(), isLast: false }), false);
    } catch (thrown) {
      this.#notRead(thrown);
      return [];
    }
  }

  /**
   * All that there is to tell after the run's end.
   * @returns why the task instances could not be read, if they could not
   */
  async *readLast(): AsyncGenerator<RunUpdate, string | undefined, undefined> {
    const { api, run, clock, random, signal } = this.#reading;
    const since = clock.now();
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.#structure();
        const instances = await api.taskInstances(run, { signal });
        const updates = this.#ledger.fold(instances, { at: clock.now(), isLast: true });
        await this.#outputs();
        yield* await this.#explained(updates, true);
        return undefined;
      } catch (thrown) {
        this.#notRead(thrown);
        const error = thrown as PlumblineError;
        if (!mayPass(error) || this.#isEnough(error, attempt, since)) return oneLine(error.message, REASON_LENGTH);
        await clock.sleep(backOff(attempt + 1, undefined, random()), signal);
      }
    }
  }

  #isEnough({ family, details }: PlumblineError, attempt: number, since: number): boolean {
    if (family !== 'transient') return attempt >= MOST_LAST_READS;
    const { clock, lostAfterMs } = this.#reading;
    return clock.now() - since >= (details['status'] === 500 ? Math.min(FAILING_MS, lostAfterMs) : lostAfterMs);
  }

  /** Nobody can say how these tasks end. */
  abandon(): readonly RunUpdate[] {
    return this.#ledger.abandon(this.#reading.clock.now());
  }

  /** The DAG may have changed: its tasks are read anew. */
  restructure(): void {
    this.#isStructured = false;
  }

  /** Which task depends on which decides nothing: without it there is just less to tell. */
  async #structure(): Promise<void> {
    if (this.#isStructured) return;
    const { api, run, signal, log } = this.#reading;
    try {
      this.#ledger.restructure(new TaskStructure(await api.tasks(run.dagId, signal)));
      this.#isStructured = true;
    } catch (thrown) {
      signal.throwIfAborted();
      if (!(thrown instanceof PlumblineError)) throw thrown;
      log?.debug(`The tasks of the DAG ${run.dagId} were not read: ${thrown.message}`);
    }
  }

  #notRead(thrown: unknown): void {
    const { signal, log } = this.#reading;
    signal.throwIfAborted();
    if (!(thrown instanceof PlumblineError)) throw thrown;
    if (!mayPass(thrown)) this.#refused = thrown;
    log?.debug(`The task instances of ${this.#reading.run.runId} were not read: ${thrown.message}`);
  }

  /** A failure is told with its reason: the log is read before the transition is told. */
  async #explained(updates: readonly RunUpdate[], isLast: boolean): Promise<readonly RunUpdate[]> {
    for (const failed of this.#ledger.unexplained()) {
      const { failure, unreadable } = await this.#logs.explain(failed, isLast, this.#reading.signal);
      if (failure) this.#ledger.explain(failed, failure);
      if (unreadable !== undefined && !failed.isRetried)
        this.#unreadableLogs.set(failed.id, noLog(failed.id, unreadable));
    }
    return updates.map((update) => {
      if (update.kind !== 'task' || update.task.state !== 'failed') return update;
      const now = this.#ledger.get(update.task.id);
      return now?.state === 'failed' ? { ...update, task: now } : update;
    });
  }

  /** Where no lineage comes from Airflow itself this is what is known; without it there is just less to tell. */
  async #outputs(): Promise<void> {
    const { api, run, signal, log } = this.#reading;
    try {
      const events = await api.assetEvents(run, signal);
      const written = new Map<string, Dataset[]>();
      for (const event of events) {
        const id = taskInstanceId({ taskId: event.taskId ?? '', mapIndex: event.mapIndex });
        written.set(id, [...(written.get(id) ?? []), assetDataset(event)]);
      }
      for (const [id, outputs] of written) this.#ledger.wrote(id, outputs);
    } catch (thrown) {
      signal.throwIfAborted();
      if (!(thrown instanceof PlumblineError)) throw thrown;
      log?.debug(`What the run ${run.runId} has written is not known: ${thrown.message}`);
    }
  }
}

function noLog(taskId: string, why: string): Finding {
  return {
    severity: 'warning',
    code: 'ERR_RUN_TASK_FAILED',
    message: `The log of ${taskId} could not be read: ${why}`,
    remedy: 'Look at it in Airflow.',
    taskId,
  };
}
