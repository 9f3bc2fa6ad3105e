import { join } from 'node:path';
import type { Clock } from '#core/clock.ts';
import { systemReason } from './audit-unavailable.ts';
import { writeExportedNote } from './checkpoint-files.ts';

interface Offered {
  /** Relative to the folder. */
  readonly path: string;
  readonly note: string;
}

/** A place that does not answer holds up a checkpoint and a stop no longer than this. */
const PATIENCE_MS = 10_000;

/**
 * Copies checkpoints to a folder off this machine. The newest one vouches for all before it, so only that one is kept for a
 * place that is away. It never holds up the log.
 */
export class CheckpointExport {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #onProblem: (message: string) => void;
  #offered: Offered | undefined;
  #copying: Promise<void> | undefined;
  #away = false;

  constructor(directory: string, clock: Clock, onProblem: (message: string) => void) {
    this.#directory = directory;
    this.#clock = clock;
    this.#onProblem = onProblem;
  }

  offer(path: string, note: string): void {
    this.#offered = { path, note };
  }

  /** Tries to copy what was offered and not copied yet. */
  async flush(): Promise<void> {
    const patience = new AbortController();
    this.#copying ??= this.#copyAll().finally(() => {
      this.#copying = undefined;
    });
    const enough = this.#clock.sleep(PATIENCE_MS, patience.signal).then(
      () => this.#tell(`it has not answered for ${PATIENCE_MS / 1000} s`),
      () => undefined,
    );
    await Promise.race([this.#copying, enough]);
    patience.abort();
  }

  async #copyAll(): Promise<void> {
    while (this.#offered) {
      const { path, note } = this.#offered;
      try {
        await writeExportedNote(join(this.#directory, path), note);
      } catch (thrown) {
        return this.#tell(systemReason(thrown));
      }
      this.#away = false;
      if (this.#offered.note === note) this.#offered = undefined;
    }
  }

  #tell(why: string): void {
    if (!this.#away) this.#onProblem(`A checkpoint of the audit log cannot be copied to ${this.#directory}: ${why}`);
    this.#away = true;
  }
}
