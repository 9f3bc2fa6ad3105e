import { logFileName } from './log-files.ts';
import { type LogDisk, LogSegment } from './log-segment.ts';

export interface LogFileSetSettings {
  readonly directory: string;
  readonly disk: LogDisk;
  /** A file that has grown to this is closed and a new one begun. */
  readonly rotateBytes: number;
  /** Asked before a file is begun. @throws when another process may write the log by now */
  readonly assertOurs: () => void;
}

/**
 * The files of the log, as a place to append to. After a write that failed the file is put back to what is known to be on the
 * disk, and the log goes on in a new one: after an fsync that failed the system's own copy of a file can't be trusted.
 */
export class LogFileSet {
  readonly #settings: LogFileSetSettings;
  #segment: LogSegment | undefined;
  #failed = false;

  constructor(settings: LogFileSetSettings) {
    this.#settings = settings;
  }

  async resume(name: string, size: number): Promise<void> {
    const { directory, disk } = this.#settings;
    this.#segment = await LogSegment.open(directory, name, size, disk);
  }

  /** Mends what a failed write left; nothing may be written before. */
  async ready(): Promise<void> {
    if (!this.#failed || !this.#segment) return;
    await this.#mend(this.#segment);
    this.#segment = undefined;
    this.#failed = false;
  }

  /** Returns when the bytes are on the disk. */
  async append(bytes: Uint8Array, firstSequence: number, time: number): Promise<{ file: string; offset: number }> {
    const segment = await this.#segmentFor(bytes.length, firstSequence, time);
    const offset = segment.size;
    try {
      await segment.append(bytes);
    } catch (thrown) {
      await this.#afterFailure(segment);
      throw thrown;
    }
    return { file: segment.name, offset };
  }

  async close(): Promise<void> {
    await this.#segment?.close();
    this.#segment = undefined;
  }

  async #segmentFor(bytes: number, firstSequence: number, time: number): Promise<LogSegment> {
    const { directory, disk, rotateBytes, assertOurs } = this.#settings;
    if (this.#segment && this.#segment.size > 0 && this.#segment.size + bytes > rotateBytes) await this.close();
    if (this.#segment) return this.#segment;
    assertOurs();
    this.#segment = await LogSegment.create(directory, logFileName(firstSequence, time), disk);
    return this.#segment;
  }

  async #afterFailure(segment: LogSegment): Promise<void> {
    this.#failed = true;
    try {
      await this.#mend(segment);
      this.#segment = undefined;
      this.#failed = false;
    } catch {
      // Tried again before the next write.
    }
  }

  async #mend(segment: LogSegment): Promise<void> {
    await segment.mend();
    if (segment.size === 0) await segment.discard();
    else await segment.close();
  }
}
