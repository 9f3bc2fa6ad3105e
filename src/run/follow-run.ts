import type { RunOutcome, RunRef, RunUpdate, TaskRecord } from '#core/run.ts';
import type { CancelReason, Engine } from '#engines/engine.ts';
import { atDeadline } from './deadline.ts';
import { RunningAtStop } from './running-at-stop.ts';
import { RunStopper } from './stop-run.ts';
import { stoppedOutcome, unansweredOutcome } from './stopped-outcome.ts';

export interface FollowOptions {
  /** Milliseconds from now until the run is stopped; absent: never. */
  readonly timeoutMs?: number | undefined;
  /** Cancels the run, not only the following. */
  readonly signal: AbortSignal;
  /** Every update in order; the outcome comes last. */
  readonly onUpdate?: ((update: RunUpdate) => void) | undefined;
  /** Milliseconds for which a run is followed further after the engine answered the request to stop; default 5,000. */
  readonly stopWithinMs?: number | undefined;
}

const STOP_WITHIN_MS = 5_000;

/** What following needs of an engine. */
export type FollowedEngine = Pick<Engine<never>, 'name' | 'follow' | 'cancel'>;

/**
 * Follows a run to its end and gives the outcome.
 *
 * At the deadline, or when `signal` aborts, the engine is asked to stop first; what there is to tell comes after. That we
 * stopped it is remembered: whatever the engine says in the end, the outcome is `deadline` or `cancelled`, and names the tasks
 * that were running. Errors of the engine pass through while nobody has stopped the run.
 */
export async function followRun(engine: FollowedEngine, ref: RunRef, options: FollowOptions): Promise<RunOutcome> {
  const following = new Following(engine, ref, options);
  try {
    return await following.outcome();
  } finally {
    following.close();
  }
}

class Following {
  readonly #engine: FollowedEngine;
  readonly #ref: RunRef;
  readonly #options: FollowOptions;
  readonly #stopper: RunStopper;
  /** Ends the following of a run that does not end. */
  readonly #giveUp = new AbortController();
  readonly #tasks = new Map<string, TaskRecord>();
  readonly #startedAt = Date.now();
  readonly #cancel = () => void this.#stop('cancelled');
  readonly #runningAtStop = new RunningAtStop();
  #disarm = () => {};
  #disarmGiveUp = () => {};

  constructor(engine: FollowedEngine, ref: RunRef, options: FollowOptions) {
    this.#engine = engine;
    this.#ref = ref;
    this.#options = options;
    this.#stopper = new RunStopper(engine, ref);
  }

  async outcome(): Promise<RunOutcome> {
    this.#arm();
    try {
      const outcome = await this.#follow();
      return this.#tell(outcome);
    } catch (error) {
      if (!this.#stopper.stop) throw error;
      return this.#tell(this.#unanswered(error));
    }
  }

  close(): void {
    this.#disarm();
    this.#disarmGiveUp();
    this.#options.signal.removeEventListener('abort', this.#cancel);
  }

  #arm(): void {
    const { timeoutMs, signal } = this.#options;
    if (timeoutMs !== undefined) this.#disarm = atDeadline(timeoutMs, () => void this.#stop('deadline'));
    signal.addEventListener('abort', this.#cancel, { once: true });
    if (signal.aborted) this.#cancel();
  }

  async #follow(): Promise<RunOutcome> {
    for await (const update of this.#engine.follow(this.#ref, this.#giveUp.signal)) {
      if (update.kind === 'outcome') return this.#conclude(update.outcome);
      if (update.kind !== 'state') this.#tasks.set(update.task.id, update.task);
      if (update.kind === 'task') this.#runningAtStop.take(update);
      this.#options.onUpdate?.(update);
    }
    throw new TypeError(`The engine ${this.#engine.name} ended the run ${this.#ref.id} without an outcome.`);
  }

  async #stop(reason: CancelReason): Promise<void> {
    if (this.#stopper.stop) return;
    this.#runningAtStop.begin(this.#tasks.values());
    await this.#stopper.ask(reason);
    this.#disarmGiveUp = atDeadline(this.#options.stopWithinMs ?? STOP_WITHIN_MS, () => this.#giveUp.abort());
  }

  /** The engine's answer to the request to stop belongs to the outcome, and may come after the run's end. */
  async #conclude(outcome: RunOutcome): Promise<RunOutcome> {
    const { stop } = this.#stopper;
    if (!stop) return outcome;
    await this.#stopper.ask(stop.reason);
    return stoppedOutcome(outcome, this.#stopper.stop ?? stop, this.#runningAtStop.tasks());
  }

  #unanswered(error: unknown): RunOutcome {
    const run = {
      ref: this.#ref,
      startedAt: this.#startedAt,
      tasks: [...this.#tasks.values()],
      engine: this.#engine.name,
    };
    const stop = this.#stopper.stop ?? { reason: 'cancelled', answer: 'requested' };
    const because = this.#giveUp.signal.aborted ? stop.error : error;
    return unansweredOutcome(run, { ...stop, error: because }, this.#runningAtStop.tasks());
  }

  #tell(outcome: RunOutcome): RunOutcome {
    this.#options.onUpdate?.({ kind: 'outcome', outcome });
    return outcome;
  }
}
