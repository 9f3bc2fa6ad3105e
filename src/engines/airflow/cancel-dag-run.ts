import { type Clock, systemClock } from '#core/clock.ts';
import { asPlumblineError, PlumblineError } from '#core/errors.ts';
import type { CancelReason } from '../engine.ts';
import type { AirflowApi, AirflowRun, AirflowTaskInstance, RunName } from './airflow-api.ts';
import type { DagPlace } from './dag-place.ts';
import { saysProcessEnded } from './last-words.ts';
import { isTerminal } from './run-words.ts';
import { stopNoted, withStop } from './stop-note.ts';

export interface CancelOptions {
  /** @default two seconds more than the patience */
  readonly signal?: AbortSignal | undefined;
  /**
   * How long an end of run and tasks is looked for after the run was set to failed. Milliseconds.
   * @default 5_000 for `cancelled`, 20_000 for `deadline`
   */
  readonly patienceMs?: number | undefined;
}

/**
 * A step that is cancelled has 7.5 s until the agent's second signal. A time that is over hurries nobody, and Airflow 3 takes up to 10 s
 * to end a process: up to 5 s until its next heartbeat, and 5 s until what does not end is killed.
 */
const PATIENCE_MS = { cancelled: 5_000, deadline: 20_000 } as const satisfies Record<CancelReason, number>;
const REQUESTS_MS = 2_000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 1_000;
const SAME_MOMENT_MS = 1_000;
/** What comes before the run is asked to stop keeps that waiting no longer: ten thousand task instances are a hundred pages. */
const LOOK_MS = 1_500;
/** More logs than this are not read to see whether each task has ended. */
const MOST_LOGS = 10;

/**
 * Stops a run: its note says that we do, then it is set to failed. A run that ends in success all the same, as one with a teardown does,
 * or that goes on because the scheduler wrote over its state, is set to failed once more.
 *
 * `stopped` is answered only when the run has ended and so has the process of every task that was ended with it. Airflow calls a
 * task failed before its worker has heard of it; that the process is gone is read off the task's log ({@link saysProcessEnded}). What
 * does not say so in time is `requested`.
 * @throws {PlumblineError} `ERR_AIRFLOW_*` when the run could not even be asked to stop
 */
export async function cancelDagRun(
  place: DagPlace,
  runId: string,
  reason: CancelReason,
  { patienceMs = PATIENCE_MS[reason], signal = AbortSignal.timeout(patienceMs + REQUESTS_MS) }: CancelOptions = {},
): Promise<'stopped' | 'requested'> {
  const { api, dagId, clock = systemClock } = place;
  const name = { dagId, runId };
  const run = await inTime(place, runId, signal, api.run(dagId, runId, signal));
  if (run === undefined || (isTerminal(run.state) && stopNoted(run.note) === undefined)) return 'stopped';
  const { set, before } = await inTime(place, runId, signal, asked(place, run, reason, signal));
  const ending = new Ending({ api, name, clock, until: clock.now() + patienceMs, signal, before });
  try {
    return await ending.confirmed(set);
  } catch (thrown) {
    // It was asked to stop; what cannot be seen of its end does not undo that.
    place.log?.debug(`How the run ${runId} ends is not known: ${asPlumblineError(thrown).message}`);
    return 'requested';
  }
}

/** The time that a stop has is ours, not the caller's: when it is over before the run was asked, that is an error like any other. */
async function inTime<Answer>(
  { api, dagId }: DagPlace,
  runId: string,
  signal: AbortSignal,
  work: Promise<Answer>,
): Promise<Answer> {
  try {
    return await work;
  } catch (thrown) {
    if (!signal.aborted || (thrown as Error)?.name !== 'TimeoutError') throw thrown;
    throw new PlumblineError(
      'ERR_AIRFLOW_UNAVAILABLE',
      `Airflow at ${api.url} did not stop the run ${runId} of the DAG ${dagId}: no answer in time`,
      { remedy: 'Set the run to failed in Airflow if it still goes on.', cause: thrown },
    );
  }
}

/**
 * Asks the run to stop, unless it was asked before and has ended. That its note says so comes first and is tried; a run that
 * cannot be noted is stopped all the same.
 */
async function asked(
  { api, log }: Pick<DagPlace, 'api' | 'log'>,
  run: AirflowRun,
  reason: CancelReason,
  signal: AbortSignal,
): Promise<{ readonly set: AirflowRun; readonly before: readonly AirflowTaskInstance[] | undefined }> {
  const soon = AbortSignal.any([signal, AbortSignal.timeout(LOOK_MS)]);
  const instances = triedInstances(api, run, soon);
  if (isTerminal(run.state)) return { set: run, before: (await instances)?.filter((one) => !isEndedWith(run, one)) };
  const noted = api.setNote(run, withStop(run.note, reason), soon).catch((thrown: unknown) => {
    signal.throwIfAborted();
    log?.debug(`That ${run.runId} is stopped could not be noted: ${asPlumblineError(thrown).message}`);
  });
  const [before] = await Promise.all([instances, noted]);
  return { set: await api.setState(run, 'failed', signal), before };
}

/** What ended by itself ended before its run; Airflow 2 writes a later end when the process is gone. */
function isEndedWith(run: AirflowRun, { state, endedAt }: AirflowTaskInstance): boolean {
  return state === 'failed' && (endedAt ?? Number.POSITIVE_INFINITY) >= (run.endedAt ?? 0) - SAME_MOMENT_MS;
}

interface EndingRun {
  readonly api: AirflowApi;
  readonly name: RunName;
  readonly clock: Clock;
  /** Milliseconds since the epoch. */
  readonly until: number;
  readonly signal: AbortSignal;
  /** `undefined`: could not be read. */
  readonly before: readonly AirflowTaskInstance[] | undefined;
}

/** Looks at a run that was set to failed until nothing of it goes on, or the time is over. */
class Ending {
  readonly #run: EndingRun;

  constructor(run: EndingRun) {
    this.#run = run;
  }

  async confirmed(set: AirflowRun): Promise<'stopped' | 'requested'> {
    if (!(await this.#end(set))) return 'requested';
    const isGone = await this.#processesEnd();
    return (await this.#staysEnded()) && isGone ? 'stopped' : 'requested';
  }

  async #processesEnd(): Promise<boolean> {
    const { before, until } = this.#run;
    if (before === undefined) return false;
    const open = new Set(await this.#ended(before));
    return open.size <= MOST_LOGS && this.#poll(until, () => this.#areGone(open));
  }

  /** A scheduler that has just taken the run up can write over the state: then it is set once more. */
  async #staysEnded(): Promise<boolean> {
    const { api, name, signal } = this.#run;
    const run = await api.run(name.dagId, name.runId, signal);
    if (run === undefined || isTerminal(run.state)) return true;
    await api.setState(name, 'failed', signal);
    return false;
  }

  /** Whether the run has ended; one that ends in success is asked once more, or it would look as if nobody had stopped it. */
  async #end(set: AirflowRun): Promise<boolean> {
    const { api, name, signal, until } = this.#run;
    let run: AirflowRun | undefined = set;
    const isOver = async () => {
      if (run !== undefined && !isTerminal(run.state)) run = await api.run(name.dagId, name.runId, signal);
      return run === undefined || isTerminal(run.state);
    };
    const over = await this.#poll(until, isOver);
    if (run?.state === 'success') await api.setState(name, 'failed', signal);
    return over;
  }

  /** Those that our stop has ended, or that may have been ended by it. */
  async #ended(before: readonly AirflowTaskInstance[]): Promise<readonly AirflowTaskInstance[]> {
    const { api, name, signal } = this.#run;
    const failed = new Set(before.filter(({ state }) => state === 'failed').map(keyOf));
    const after = await api.taskInstances(name, { signal });
    const working = new Set(before.filter(({ state }) => WORKING.has(state ?? '')).map(keyOf));
    return after.filter((one) => working.has(keyOf(one)) || (one.state === 'failed' && !failed.has(keyOf(one))));
  }

  async #areGone(open: Set<AirflowTaskInstance>): Promise<boolean> {
    const { api, name, signal } = this.#run;
    for (const task of open) {
      const tryNumber = Math.max(1, task.tryNumber);
      const log = await api.log(name, { taskId: task.taskId, mapIndex: task.mapIndex, tryNumber }, signal);
      if (log !== undefined && saysProcessEnded(api.api, log.lines)) open.delete(task);
    }
    return open.size === 0;
  }

  async #poll(until: number, isDone: () => Promise<boolean>): Promise<boolean> {
    const { clock, signal } = this.#run;
    for (let wait = FIRST_WAIT_MS; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
      if (await isDone()) return true;
      const left = until - clock.now();
      if (left <= 0) return false;
      await clock.sleep(Math.min(wait, left), signal);
    }
  }
}

/** States in which a task has a process, or a trigger that waits for something. */
const WORKING: ReadonlySet<string> = new Set(['running', 'deferred', 'restarting', 'awaiting_input']);

function keyOf({ taskId, mapIndex, tryNumber }: AirflowTaskInstance): string {
  return JSON.stringify([taskId, mapIndex, tryNumber]);
}

/** What cannot be read, or not in time, keeps nobody from stopping the run. */
async function triedInstances(
  api: AirflowApi,
  name: RunName,
  signal: AbortSignal,
): Promise<readonly AirflowTaskInstance[] | undefined> {
  try {
    return await api.taskInstances(name, { signal });
  } catch {
    return undefined;
  }
}
