import { join } from 'node:path';
import type { Clock } from '#core/clock.ts';
import type { AuditKeys } from './audit-keys.ts';
import { systemReason } from './audit-unavailable.ts';
import type { ChainWriter } from './chain-writer.ts';
import type { CheckpointExport } from './checkpoint-export.ts';
import { CHECKPOINTS_FOLDER, writeLocalNote } from './checkpoint-files.ts';
import { checkpointPath, checkpointText } from './checkpoint-note.ts';

export type CheckpointReason = 'time' | 'records' | 'request' | 'stop';

export interface CheckpointerSettings {
  readonly directory: string;
  readonly keys: AuditKeys;
  readonly clock: Clock;
  readonly writer: ChainWriter;
  readonly exported?: CheckpointExport | undefined;
  readonly everyRecords: number;
  readonly onProblem: (message: string) => void;
}

/** Signs the head of the chain, which is the record of the checkpoint itself, so that nothing is behind it after a stop. */
export class Checkpointer {
  readonly #settings: CheckpointerSettings;
  /** Sequence of the newest note beside the log. */
  #last: number;
  /** Sequence of the newest try: one that fails is not repeated with every record. */
  #tried: number;
  #queue: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(settings: CheckpointerSettings, last: number) {
    this.#settings = settings;
    this.#last = last;
    this.#tried = last;
  }

  /** To be called after records were written. */
  written(): void {
    const { writer, everyRecords } = this.#settings;
    if (this.#waiting > 0 || writer.head.sequence - Math.max(this.#last, this.#tried) < everyRecords) return;
    this.checkpoint('records').catch((thrown) => this.#tell(thrown));
  }

  /** On a timer, and at the end. Problems are told, not thrown: the next one covers what this one did not. */
  async cover(reason: CheckpointReason): Promise<void> {
    try {
      if (this.#uncovered() > 0) await this.checkpoint(reason);
      else await this.#settings.exported?.flush();
    } catch (thrown) {
      this.#tell(thrown);
    }
  }

  /** One at a time, in the order in which they were asked for. */
  async checkpoint(reason: CheckpointReason): Promise<void> {
    this.#waiting += 1;
    const made = this.#queue.then(() => this.#make(reason));
    this.#queue = made
      .catch(() => undefined)
      .finally(() => {
        this.#waiting -= 1;
      });
    return made;
  }

  #uncovered(): number {
    return this.#settings.writer.head.sequence - this.#last;
  }

  async #make(reason: CheckpointReason): Promise<void> {
    const { directory, keys, clock, writer, exported } = this.#settings;
    const { sequence, hash } = await writer.append({
      type: 'dev.plumbline.audit.checkpoint',
      data: { reason, key: keys.verifierKey, lastCheckpoint: this.#last },
    });
    this.#tried = sequence;
    const checkpoint = { origin: keys.origin, sequence, hash, at: clock.now() };
    const note = keys.sign(checkpointText(checkpoint));
    const path = checkpointPath(checkpoint);
    await writeLocalNote(join(directory, CHECKPOINTS_FOLDER, path), note);
    this.#last = sequence;
    exported?.offer(path, note);
    await exported?.flush();
  }

  #tell(thrown: unknown): void {
    this.#settings.onProblem(`A checkpoint of the audit log cannot be written: ${systemReason(thrown)}`);
  }
}
