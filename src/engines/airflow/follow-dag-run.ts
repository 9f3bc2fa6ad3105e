import type { Writable } from 'node:stream';
import type { Clock } from '#core/clock.ts';
import { asPlumblineError, PlumblineError } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import type { RunState, RunUpdate } from '#core/run.ts';
import { oneLine } from '#core/task-name.ts';
import type { AirflowApi, AirflowRun, RunName } from './airflow-api.ts';
import { concludeDagRun, type EndedDagRun, type QueuedTooLong } from './airflow-outcome.ts';
import { cancelDagRun } from './cancel-dag-run.ts';
import { taskReadGap } from './poll-intervals.ts';
import { queueReasons } from './queue-reason.ts';
import { noSuchRun } from './run-name.ts';
import { isTerminal } from './run-words.ts';
import { SightQueue } from './sight-queue.ts';
import { stopAgain } from './stop-again.ts';
import { stopNoted } from './stop-note.ts';
import { TaskReader } from './task-reader.ts';
import { AWAITS_PERSON } from './task-states.ts';
import { type Sight, watchRun } from './watch-run.ts';

export interface DagRunFollowing {
  readonly api: AirflowApi;
  readonly run: RunName;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  /** Without an answer for so long nobody can say how the run ends. Milliseconds. */
  readonly lostAfterMs: number;
  /** The run may stay queued for so long. Milliseconds; 0: for ever. */
  readonly queuedMs: number;
  readonly failOnTaskFailure: boolean;
  /** What was seen in its way when it was started. */
  readonly warning?: string | undefined;
  /** Whether the run was alive when this process first saw it. */
  readonly wasAlive: (run: AirflowRun) => boolean;
  readonly output?: Writable | undefined;
  readonly log?: Pick<Logger, 'debug' | 'info'> | undefined;
}

const LONG_WAIT_MS = 3_000;
/** A run that is not there is asked for once more: what answers while a server starts says the same. */
const GONE_AGAIN_MS = 1_000;

/**
 * Follows a DAG run to its end: every transition of run and tasks once and in order, the outcome last. A run that somebody clears
 * is followed on; a run that stays queued for too long is stopped.
 *
 * @throws {PlumblineError} `ERR_RUN_LOST` when there is no such run; `ERR_AIRFLOW_*` and what the credentials throw when the server
 *   refuses before it was ever seen
 * @throws the signal's reason when it aborts
 */
export async function* followDagRun(following: DagRunFollowing): AsyncGenerator<RunUpdate, void, undefined> {
  const leave = new AbortController();
  const signal = AbortSignal.any([following.signal, leave.signal]);
  try {
    yield* new Follower({ ...following, signal }).updates();
  } finally {
    leave.abort(new Error('nobody follows the run any more'));
  }
}

class Follower {
  readonly #following: DagRunFollowing;
  readonly #tasks: TaskReader;
  readonly #sights: SightQueue;
  readonly #startedAt: number;
  /** Since when it is asked in vain; a machine that slept asked nothing. */
  #awaySince: number | undefined;
  #state: RunState | undefined;
  #seen: AirflowRun | undefined;
  #isAdopted = false;
  #hasBegun = false;
  #queuedSince: number | undefined;
  #queued: QueuedTooLong | undefined;
  #nextRead: number | undefined;
  #reads = 0;
  #isAwayTold = false;
  readonly #told = new Set<string>();
  #hasStoppedAgain = false;

  constructor(following: DagRunFollowing) {
    this.#following = following;
    this.#tasks = new TaskReader(following);
    this.#sights = new SightQueue(watchRun(following), following.clock);
    this.#startedAt = following.clock.now();
  }

  async *updates(): AsyncGenerator<RunUpdate, void, undefined> {
    for (;;) {
      const sight = await this.#sights.next(this.#dueAt());
      const isOver = sight === undefined ? yield* this.#onTime() : yield* this.#take(sight);
      if (isOver) return;
    }
  }

  /** When something is to be done whatever is heard; `undefined`: nothing is. */
  #dueAt(): number | undefined {
    const { queuedMs } = this.#following;
    const isLimited = this.#queuedSince !== undefined && queuedMs > 0 && this.#queued === undefined;
    const queuedUntil = isLimited ? (this.#queuedSince as number) + queuedMs : undefined;
    const next = Math.min(this.#nextRead ?? Number.POSITIVE_INFINITY, queuedUntil ?? Number.POSITIVE_INFINITY);
    return Number.isFinite(next) ? next : undefined;
  }

  async *#onTime(): AsyncGenerator<RunUpdate, boolean, undefined> {
    const now = this.#following.clock.now();
    if (this.#nextRead !== undefined && this.#nextRead <= now) {
      yield* this.#tell(await this.#tasks.read());
      this.#reads += 1;
      this.#nextRead = this.#tasks.isRefused ? undefined : this.#following.clock.now() + taskReadGap(this.#reads);
      return false;
    }
    return yield* this.#waitsTooLong();
  }

  /** @returns whether the outcome was told */
  async *#take(sight: Sight): AsyncGenerator<RunUpdate, boolean, undefined> {
    switch (sight.kind) {
      case 'away':
        return yield* this.#away(sight.error, sight.waitMs);
      case 'refused':
        return yield* this.#refused(sight.error);
      case 'gone':
        return yield* this.#gone();
      case 'state':
        this.#sign();
        yield* this.#enter(sight.state);
        return false;
      case 'run':
        this.#sign();
        return yield* this.#read(sight.run);
    }
  }

  #sign(): void {
    this.#awaySince = undefined;
    this.#isAwayTold = false;
  }

  async *#read(run: AirflowRun): AsyncGenerator<RunUpdate, boolean, undefined> {
    if (this.#seen === undefined) this.#isAdopted = !this.#following.wasAlive(run);
    this.#seen = run;
    if (run.startedAt !== undefined) this.#hasBegun = true;
    if (isTerminal(run.state)) return yield* this.#end(run);
    yield* this.#enter(run.state);
    return false;
  }

  /** Takes a state in that is none of the last. */
  *#enter(word: string): Generator<RunUpdate> {
    const { clock, log } = this.#following;
    const state = word === 'queued' ? 'queued' : 'running';
    if (state === 'running') this.#hasBegun = true;
    if (!STATES.has(word)) this.#tellOnce(`Airflow says that the run is ${oneLine(word, 60)}, which is no end`);
    if (state === this.#state) return;
    if (state === 'queued' && this.#state !== undefined) {
      log?.info('Somebody has cleared tasks of the run: it begins again and is followed on.');
      this.#tasks.restructure();
    }
    this.#state = state;
    this.#queuedSince = state === 'queued' ? clock.now() : undefined;
    this.#reads = 0;
    this.#nextRead = state === 'running' ? clock.now() + taskReadGap(0) : undefined;
    yield { kind: 'state', state, at: clock.now() };
  }

  *#tell(updates: readonly RunUpdate[]): Generator<RunUpdate> {
    for (const update of updates) {
      if (update.kind !== 'outcome' && update.kind !== 'state' && update.task.statusMessage === AWAITS_PERSON) {
        this.#tellOnce(`${update.task.id} ${AWAITS_PERSON}: the run goes on when somebody has given it`);
      }
      yield update;
    }
  }

  #tellOnce(text: string): void {
    if (this.#told.has(text)) return;
    this.#told.add(text);
    this.#following.log?.info(text);
  }

  // ---- too long in the queue
  async *#waitsTooLong(): AsyncGenerator<RunUpdate, boolean, undefined> {
    const { api, run, clock, signal, queuedMs, warning } = this.#following;
    try {
      const now = await api.run(run.dagId, run.runId, signal);
      if (now?.state !== 'queued') return now === undefined ? yield* this.#gone() : yield* this.#read(now);
      this.#seen = now;
      const reasons = await queueReasons({ api, dagId: run.dagId, now: clock.now(), warning, signal });
      this.#queued = { limitMs: queuedMs, reasons };
      await cancelDagRun({ ...this.#following, dagId: run.dagId }, run.runId, 'deadline', { signal });
      return false;
    } catch (thrown) {
      signal.throwIfAborted();
      return yield* this.#notStopped(asPlumblineError(thrown));
    }
  }

  /** It is looked at again when the server answers; a refusal is the end of what can be done. */
  async *#notStopped(error: PlumblineError): AsyncGenerator<RunUpdate, boolean, undefined> {
    if (error.family !== 'transient') return yield* this.#refused(error);
    this.#queued = undefined;
    this.#queuedSince = this.#following.clock.now() - this.#following.queuedMs + LONG_WAIT_MS;
    return yield* this.#away(error, LONG_WAIT_MS);
  }

  // ---- the end
  async *#end(run: AirflowRun): AsyncGenerator<RunUpdate, boolean, undefined> {
    const stopped = this.#hasStoppedAgain ? run : await stopAgain(run, this.#following);
    this.#hasStoppedAgain = true;
    if (!isTerminal(stopped.state)) return false;
    const unread = yield* this.#tasks.readLast();
    if (unread === undefined && !this.#tasks.isSettled && (yield* this.#goesOn())) return false;
    yield* this.#conclude({
      word: stopped.state === 'success' ? 'success' : 'failed',
      stop: stopNoted(stopped.note) ?? (this.#queued === undefined ? 'no' : 'deadline'),
      unread,
      startedAt: run.startedAt ?? run.queuedAt ?? this.#startedAt,
      endedAt: run.endedAt ?? this.#following.clock.now(),
    });
    return true;
  }

  /** Somebody may have cleared tasks of it since it was seen to end. */
  async *#goesOn(): AsyncGenerator<RunUpdate, boolean, undefined> {
    const { api, run, signal } = this.#following;
    try {
      const now = await api.run(run.dagId, run.runId, signal);
      if (now === undefined || isTerminal(now.state)) return false;
      return !(yield* this.#read(now));
    } catch (thrown) {
      signal.throwIfAborted();
      if (!(thrown instanceof PlumblineError)) throw thrown;
      return false;
    }
  }

  async *#gone(): AsyncGenerator<RunUpdate, boolean, undefined> {
    const { api, run, clock, signal } = this.#following;
    if (this.#seen === undefined) throw noSuchRun(api.url, run);
    await clock.sleep(GONE_AGAIN_MS, signal);
    try {
      const found = await api.run(run.dagId, run.runId, signal);
      if (found !== undefined) return yield* this.#read(found);
    } catch {
      signal.throwIfAborted();
      // Then it is asked again in any case.
      return false;
    }
    return yield* this.#lost({ word: 'deleted' });
  }

  async *#away(error: PlumblineError, waitMs: number): AsyncGenerator<RunUpdate, boolean, undefined> {
    const { clock, lostAfterMs, log } = this.#following;
    this.#awaySince ??= clock.now();
    const awayMs = clock.now() - this.#awaySince;
    log?.debug(`Following again in ${Math.round(waitMs)} ms: ${error.message}`);
    if (awayMs >= lostAfterMs) return yield* this.#lost({ word: 'lost', because: error, awayMs });
    if (awayMs >= LONG_WAIT_MS && !this.#isAwayTold) {
      this.#isAwayTold = true;
      log?.info(`Airflow does not tell of the run at the moment and is asked again and again: ${error.message}`);
    }
    return false;
  }

  async *#refused(error: PlumblineError): AsyncGenerator<RunUpdate, boolean, undefined> {
    if (this.#seen === undefined) throw error;
    return yield* this.#lost({ word: 'refused', because: error });
  }

  *#lost(why: Pick<EndedDagRun, 'word' | 'because' | 'awayMs'>): Generator<RunUpdate, boolean> {
    yield* this.#tasks.abandon();
    const endedAt = this.#following.clock.now();
    yield* this.#conclude({ ...why, stop: 'no', startedAt: this.#seen?.startedAt ?? this.#startedAt, endedAt });
    return true;
  }

  *#conclude(
    end: Pick<EndedDagRun, 'word' | 'stop' | 'unread' | 'because' | 'awayMs' | 'startedAt' | 'endedAt'>,
  ): Generator<RunUpdate> {
    const { api, run, clock, failOnTaskFailure } = this.#following;
    const outcome = concludeDagRun({
      ...end,
      ...run,
      airflow: `Airflow at ${api.url}`,
      version: api.version,
      began: this.#hasBegun,
      failOnTaskFailure,
      tasks: this.#tasks.records,
      queued: this.#queued,
      notes: this.#tasks.findings,
      adopted: this.#isAdopted,
    });
    yield { kind: 'state', state: outcome.state, at: clock.now() };
    yield { kind: 'outcome', outcome };
  }
}

const STATES: ReadonlySet<string> = new Set(['queued', 'running']);
