import type { RunUpdate } from '#core/run.ts';
import { persistently, type RunContext } from './run-context.ts';

/** What may wait to be stored before the worker's file is read on. */
const MOST_WAITING = 2_000;
const MOST_AT_ONCE = 256;

interface Told {
  /** Counted in what the launcher tells, from 1. */
  readonly ordinal: number;
  readonly update: RunUpdate;
}

/**
 * Stores the updates of one attempt in order. What arrives while a transaction is under way is stored with the next one, so
 * that one update is stored at once and many are stored together. Watchers hear of what is stored, of nothing else.
 */
export class UpdateWriter {
  readonly #context: RunContext;
  readonly #id: string;
  readonly #attempt: number;
  #waiting: Told[] = [];
  #writing: Promise<void> | undefined;
  #failure: { readonly thrown: unknown } | undefined;

  constructor(context: RunContext, id: string, attempt: number) {
    this.#context = context;
    this.#id = id;
    this.#attempt = attempt;
  }

  /** Resolves when more may come. */
  async add(told: Told): Promise<void> {
    this.#waiting.push(told);
    this.#writing ??= this.#write();
    if (this.#waiting.length >= MOST_WAITING) await this.flushed();
  }

  /** Resolves when everything is stored. */
  async flushed(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    if (this.#failure) throw this.#failure.thrown;
  }

  async #write(): Promise<void> {
    // Gives what is ready to be read the chance to come along.
    await Promise.resolve();
    try {
      while (this.#waiting.length > 0) await this.#store(this.#waiting.splice(0, MOST_AT_ONCE));
    } catch (thrown) {
      this.#failure = { thrown };
    } finally {
      this.#writing = undefined;
    }
  }

  async #store(batch: readonly Told[]): Promise<void> {
    const { runs, hub } = this.#context;
    const stored = await persistently(this.#context, () => runs.tell(this.#id, this.#attempt, batch));
    if (stored.length > 0) hub.publish(this.#id, stored);
    // Stored before, or by a commit whose answer was lost.
    else hub.changed(this.#id);
  }
}
