import type { Clock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import type { RunServiceOptions } from './run-collaborators.ts';
import type { RunJournal } from './run-journal.ts';
import type { RunStore } from './run-store.ts';
import type { UpdateHub } from './update-hub.ts';

/** What everything that works on runs shares. */
export interface RunContext
  extends Pick<RunServiceOptions, 'launcher' | 'policy' | 'code' | 'secrets' | 'scheduler' | 'access'> {
  readonly runs: RunStore;
  readonly hub: UpdateHub;
  readonly journal: RunJournal;
  readonly clock: Clock;
  /** Aborts when this process stops working on runs; workers go on. */
  readonly closing: AbortSignal;
  readonly log: (message: string, facts: Readonly<Record<string, unknown>>) => void;
}

export type Persisting = Pick<RunContext, 'clock' | 'closing' | 'log'>;

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 2_000;

/**
 * Does it again until the store takes it. Only for what may be done twice: a commit may have happened though it was
 * answered with an error.
 */
export async function persistently<T>({ clock, closing, log }: Persisting, work: () => Promise<T>): Promise<T> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    closing.throwIfAborted();
    try {
      return await work();
    } catch (thrown) {
      if (!isStoreUnavailable(thrown)) throw thrown;
      if (pause === FIRST_PAUSE_MS) log('The store cannot be written; it is tried again', { why: thrown.message });
      await clock.sleep(pause, closing);
    }
  }
}

export function isStoreUnavailable(thrown: unknown): thrown is PlumblineError {
  return thrown instanceof PlumblineError && thrown.code === 'ERR_STORE_UNAVAILABLE';
}
