import type { RunRef } from '#core/run.ts';
import type { CancelReason } from '#engines/engine.ts';
import type { FollowedEngine } from './follow-run.ts';

/** That we asked a run to stop, and what the engine said to it. */
export interface Stop {
  readonly reason: CancelReason;
  readonly answer: 'stopped' | 'requested';
  /** Why it could not even be asked. */
  readonly error?: unknown;
}

/** Asks a run to stop, once, and remembers that it did. */
export class RunStopper {
  readonly #engine: FollowedEngine;
  readonly #ref: RunRef;
  #stop: Stop | undefined;
  #answered: Promise<void> | undefined;

  constructor(engine: FollowedEngine, ref: RunRef) {
    this.#engine = engine;
    this.#ref = ref;
  }

  /** From the moment of the asking. */
  get stop(): Stop | undefined {
    return this.#stop;
  }

  /** Resolves when the engine has answered; never rejects, what went wrong stands in `stop`. */
  ask(reason: CancelReason): Promise<void> {
    this.#stop ??= { reason, answer: 'requested' };
    this.#answered ??= this.#ask(reason);
    return this.#answered;
  }

  async #ask(reason: CancelReason): Promise<void> {
    try {
      this.#stop = { reason, answer: await this.#engine.cancel(this.#ref, reason) };
    } catch (error) {
      this.#stop = { reason, answer: 'requested', error };
    }
  }
}
