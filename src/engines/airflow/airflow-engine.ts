import type { Writable } from 'node:stream';
import { type Clock, systemClock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import type { TaskGraph } from '#core/graph.ts';
import type { Logger } from '#core/logger.ts';
import type { RunRef, RunState, RunUpdate } from '#core/run.ts';
import type { CancelReason, Engine, FoundRun } from '../engine.ts';
import type { AirflowApi, AirflowRun, RunName } from './airflow-api.ts';
import type { AirflowRunRequest } from './airflow-request.ts';
import { cancelDagRun } from './cancel-dag-run.ts';
import type { DagPlace } from './dag-place.ts';
import { type FoundDagRun, findDagRun } from './find-dag-run.ts';
import { followDagRun } from './follow-dag-run.ts';
import { resumeDagRun } from './resume-dag-run.ts';
import { handleOf, runNameOf } from './run-name.ts';
import { isTerminal } from './run-words.ts';
import { startDagRun } from './start-dag-run.ts';
import { graphOf } from './task-structure.ts';

export interface AirflowEngineOptions {
  readonly api: AirflowApi;
  readonly dagId: string;
  /** Milliseconds that a run may stay queued before it is stopped with `ERR_RUN_QUEUED`; 0: for ever. @default 600_000 */
  readonly queuedMs?: number | undefined;
  /** A success with failed tasks inside is a failure. @default false */
  readonly failOnTaskFailure?: boolean | undefined;
  /** Gets the logs of failed tasks, neutralised and capped; absent: they are read for the exceptions in them only. */
  readonly output?: Writable | undefined;
  readonly log?: Pick<Logger, 'debug' | 'info'> | undefined;
  readonly clock?: Clock | undefined;
  /** Spreads requests; 0 to 1. */
  readonly random?: (() => number) | undefined;
  /** Milliseconds without an answer after which a run is lost to whoever follows it. @default 600_000 */
  readonly lostAfterMs?: number | undefined;
}

const QUEUED_MS = 600_000;
const LOST_AFTER_MS = 600_000;

/** The engine of one DAG of one Airflow server, and what only Airflow knows of a run. */
export interface AirflowEngine extends Engine<AirflowRunRequest> {
  readonly name: 'airflow';
  /** No slash at the end. */
  readonly url: string;
  readonly dagId: string;
  /** The server's, e.g. `3.3.2`. */
  readonly version: string;
  /** Where a person looks at the run. */
  runUrl(ref: RunRef): string;
  resume(ref: RunRef, attempt: string, signal: AbortSignal): Promise<RunRef>;
}

/**
 * Airflow, by its REST API of either version. A run's id is its `dag_run_id`; it outlives whoever asked for it. Methods throw
 * {PlumblineError} `ERR_AIRFLOW_*`, `ERR_DAG_*`, `ERR_RUN_EXISTS`, `ERR_RUN_LOST` and what the credentials throw.
 */
export function airflowEngine(options: AirflowEngineOptions): AirflowEngine {
  return new DagEngine(options);
}

class DagEngine implements AirflowEngine {
  readonly name = 'airflow';
  readonly capabilities = { survivesCaller: true, taskLogs: true, staticGraph: true };
  readonly #options: AirflowEngineOptions;
  readonly #place: DagPlace;
  /** Runs that were alive when this object first saw them: their end is seen here, not found. */
  readonly #seenAlive = new Set<string>();
  /** What stood in the way of runs that were started here. */
  readonly #warnings = new Map<string, string>();

  constructor(options: AirflowEngineOptions) {
    const { api, dagId, clock, log } = options;
    this.#options = options;
    this.#place = { api, dagId, clock, log };
  }

  get url(): string {
    return this.#options.api.url;
  }

  get dagId(): string {
    return this.#options.dagId;
  }

  get version(): string {
    return this.#options.api.version;
  }

  async start(request: AirflowRunRequest, signal: AbortSignal): Promise<RunRef> {
    signal.throwIfAborted();
    const { run, warning } = await startDagRun(this.#place, request, signal);
    if (warning !== undefined) this.#warn(run, warning);
    return this.#refOf(run);
  }

  async find(id: string, signal: AbortSignal): Promise<FoundRun | undefined> {
    signal.throwIfAborted();
    const found = await findDagRun(this.#place, id, signal);
    return found && { ref: this.#refOf(found.run), state: stateOf(found), attempt: found.attempt };
  }

  async *follow(ref: RunRef, signal: AbortSignal): AsyncGenerator<RunUpdate> {
    signal.throwIfAborted();
    const { api, clock = systemClock, random = Math.random, output, log } = this.#options;
    yield* followDagRun({
      api,
      run: this.#nameOf(ref),
      signal,
      clock,
      random,
      lostAfterMs: this.#options.lostAfterMs ?? LOST_AFTER_MS,
      queuedMs: this.#options.queuedMs ?? QUEUED_MS,
      failOnTaskFailure: this.#options.failOnTaskFailure ?? false,
      warning: this.#warnings.get(ref.id),
      wasAlive: (run) => {
        this.#refOf(run);
        return this.#seenAlive.has(run.runId);
      },
      output,
      log,
    });
  }

  cancel(ref: RunRef, reason: CancelReason): Promise<'stopped' | 'requested'> {
    return cancelDagRun(this.#place, this.#nameOf(ref).runId, reason);
  }

  async graph(ref: RunRef, signal: AbortSignal): Promise<TaskGraph> {
    const { api, dagId } = this.#options;
    const run = this.#nameOf(ref);
    const [tasks, instances] = await Promise.all([api.tasks(dagId, signal), api.taskInstances(run, { signal })]);
    return graphOf(dagId, tasks, instances);
  }

  async resume(ref: RunRef, attempt: string, signal: AbortSignal): Promise<RunRef> {
    const { runId } = this.#nameOf(ref);
    return this.#refOf(await resumeDagRun(this.#place, runId, attempt, signal));
  }

  runUrl(ref: RunRef): string {
    const { runId } = this.#nameOf(ref);
    const { api, dagId } = this.#options;
    const dag = `${api.url}/dags/${encodeURIComponent(dagId)}`;
    if (api.api === 'v2') return `${dag}/runs/${encodeURIComponent(runId)}`;
    return `${dag}/grid?dag_run_id=${encodeURIComponent(runId)}`;
  }

  #warn({ runId }: AirflowRun, warning: string): void {
    this.#warnings.set(runId, warning);
    this.#options.log?.info(warning);
  }

  #refOf(run: AirflowRun): RunRef {
    if (!isTerminal(run.state)) this.#seenAlive.add(run.runId);
    return { id: run.runId, engine: this.name, handle: handleOf(run) };
  }

  #nameOf(ref: RunRef): RunName {
    const name = runNameOf(ref);
    if (name.dagId === this.#options.dagId) return name;
    throw new PlumblineError('ERR_RUN_LOST', `The run ${ref.id} is no run of the DAG ${this.dagId}: ${ref.handle}`);
  }
}

/** That we stopped it is remembered by us; Airflow has no state for it. */
function stateOf({ run, stop }: FoundDagRun): RunState {
  if (!isTerminal(run.state)) return run.state === 'queued' ? 'queued' : 'running';
  return stop ?? (run.state === 'success' ? 'succeeded' : 'failed');
}
