import { asPlumblineError } from '#core/errors.ts';
import type { RunContext } from './run-context.ts';

const SWEEP_EVERY_MS = 10 * 60_000;
const AT_ONCE = 100;

/** Removes ended runs when their time is over: the worker's folder first, then updates and record. The audit stays. */
export class RunRetention {
  readonly #context: RunContext;
  readonly #keepMs: number;

  constructor(context: RunContext, keepMs: number) {
    this.#context = context;
    this.#keepMs = keepMs;
  }

  /** Until `closing` aborts. */
  async keepGoing(): Promise<void> {
    const { closing, clock, log } = this.#context;
    while (!closing.aborted) {
      try {
        await this.sweep();
      } catch (thrown) {
        if (!closing.aborted) log('Old runs could not be removed', { why: asPlumblineError(thrown).message });
      }
      await clock.sleep(SWEEP_EVERY_MS, closing).catch(() => undefined);
    }
  }

  /** @returns how many were removed; one whose folder cannot be removed stays and is tried again next time */
  async sweep(): Promise<number> {
    const { runs, clock, closing } = this.#context;
    const before = clock.now() - this.#keepMs;
    const skipped = new Set<string>();
    let removed = 0;
    for (;;) {
      const old = await runs.endedBefore(before, AT_ONCE + skipped.size);
      const fresh = old.filter(({ id }) => !skipped.has(id));
      if (fresh.length === 0) return removed;
      for (const { id, attempt } of fresh) {
        closing.throwIfAborted();
        if (await this.#remove(id, attempt)) removed += 1;
        else skipped.add(id);
      }
    }
  }

  async #remove(id: string, attempts: number): Promise<boolean> {
    const { runs, launcher, log } = this.#context;
    try {
      for (let attempt = 1; attempt <= attempts; attempt += 1) await launcher.remove(id, attempt);
    } catch (thrown) {
      log('The folder of an old run could not be removed', { run: id, why: asPlumblineError(thrown).message });
      return false;
    }
    await runs.remove(id);
    return true;
  }
}
