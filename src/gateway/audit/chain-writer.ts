import type { Clock } from '#core/clock.ts';
import type { PlumblineError } from '#core/errors.ts';
import type { AuditEvent, AuditReceipt } from './audit-log.ts';
import { type EncodableEvent, encodeRecord, hashOf, LONGEST_RECORD_BYTES } from './audit-record.ts';
import { auditUnavailable, systemReason } from './audit-unavailable.ts';
import { canonicalJson } from './canonical-json.ts';
import type { ChainHead, ChainStart } from './chain-start.ts';
import type { LogFileSet } from './log-file-set.ts';
import { ForeignChange } from './log-segment.ts';
import { Outage } from './outage.ts';
import { refuseCredentials } from './redaction-guard.ts';

/** A record that is on the disk, and where. */
export interface WrittenRecord extends AuditReceipt {
  readonly type: string;
  readonly subject?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly file: string;
  readonly offset: number;
  /** Without the newline. */
  readonly bytes: number;
}

export interface ChainWriterSettings {
  readonly directory: string;
  readonly origin: string;
  readonly clock: Clock;
  readonly files: LogFileSet;
  /** Called in order, after the appends were resolved; must not throw. */
  readonly written: (records: readonly WrittenRecord[]) => void;
  /** A sentence whenever the log becomes unavailable or available again. */
  readonly onProblem: (message: string) => void;
}

interface Waiting extends EncodableEvent {
  readonly resolve: (receipt: AuditReceipt) => void;
  readonly reject: (error: PlumblineError) => void;
}

const LARGEST_BATCH_BYTES = 1024 * 1024;
/** What waits for a disk that does not answer is bounded. */
const MOST_WAITING = 20_000;
/** NTP may set a clock back by this much; the records keep the later time. */
const CLOCK_TOLERANCE_MS = 5_000;
const RETRY_MS = 1_000;
const SLOW_DISK_MS = 10_000;
/** Of the fields around `data`. */
const ENVELOPE_BYTES = 4_096;

/** The one writer of the chain: many appends share one write and one fdatasync, in the order in which they came. */
export class ChainWriter {
  readonly #settings: ChainWriterSettings;
  readonly #stop = new AbortController();
  #head: ChainHead;
  /** A clock that was set back before this process began is taken as it is: starting again is how it is accepted. */
  #latest = 0;
  #waiting: Waiting[] = [];
  #flushing: Promise<void> | undefined;
  /** When the write began that goes on. */
  #writingSince: number | undefined;
  #outage: Outage | undefined;
  #retrying = false;

  constructor(settings: ChainWriterSettings, start: ChainStart, outage?: Outage) {
    this.#settings = settings;
    this.#head = start.head;
    this.#outage = outage;
  }

  get head(): ChainHead {
    return this.#head;
  }

  append(event: AuditEvent): Promise<AuditReceipt> {
    const encodable = encodableEvent(event);
    if (this.#stop.signal.aborted) return Promise.reject(this.#unavailable('it is closed'));
    if (this.#waiting.length >= MOST_WAITING)
      return Promise.reject(this.#unavailable('too many records wait for the disk'));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...encodable, resolve, reject });
      this.#flush();
    });
  }

  /** Why nothing can be written now. */
  problem(): string | undefined {
    if (this.#stop.signal.aborted) return this.#unavailable('it is closed').message;
    if (this.#outage?.problem !== undefined) return this.#outage.problem;
    const now = this.#settings.clock.now();
    const waited = now - (this.#writingSince ?? now);
    if (waited < SLOW_DISK_MS) return undefined;
    return this.#unavailable(`the disk has not answered for ${Math.round(waited / 1000)} s`).message;
  }

  /** Writes what an outage or a start has to say, if there is something. Resolves when that was tried. */
  async settle(): Promise<void> {
    this.#flush();
    await this.#flushing;
  }

  /** Writes what waits and takes no more. */
  async close(): Promise<void> {
    this.#stop.abort();
    while (this.#flushing !== undefined) await this.#flushing;
    await this.#settings.files.close();
  }

  #flush(): void {
    if (this.#flushing || (this.#waiting.length === 0 && !this.#outage)) return;
    // In a microtask, so that all appends of one turn share a write.
    this.#flushing = Promise.resolve()
      .then(() => this.#writeAll())
      .finally(() => {
        this.#flushing = undefined;
        // Whoever was resolved just now may have appended already.
        if (this.#waiting.length > 0) this.#flush();
      });
  }

  async #writeAll(): Promise<void> {
    do {
      const batch = this.#takeBatch();
      this.#writingSince = this.#settings.clock.now();
      try {
        const written = await this.#write(batch);
        this.#writingSince = undefined;
        this.#recovered();
        const own = written.slice(written.length - batch.length);
        for (const [i, { resolve }] of batch.entries()) resolve(own[i] as AuditReceipt);
        this.#settings.written(written);
      } catch (thrown) {
        this.#failed(thrown, batch);
      }
    } while (this.#waiting.length > 0);
  }

  #takeBatch(): Waiting[] {
    let bytes = 0;
    const end = this.#waiting.findIndex(({ data }) => {
      bytes += data.length;
      return bytes > LARGEST_BATCH_BYTES;
    });
    return this.#waiting.splice(0, end < 0 ? this.#waiting.length : Math.max(1, end));
  }

  async #write(batch: readonly Waiting[]): Promise<WrittenRecord[]> {
    const time = this.#time();
    const { files } = this.#settings;
    await files.ready();
    const told = this.#outage ? [encodableEvent(this.#outage.event(time))] : [];
    const { lines, records } = this.#chain([...told, ...batch], time);
    const bytes = Buffer.from(lines.join(''));
    const { file, offset } = await files.append(bytes, this.#head.sequence + 1, time);
    const last = records.at(-1);
    if (last) this.#head = { sequence: last.sequence, hash: last.hash, time };
    this.#latest = time;
    return records.map((record) => ({ ...record, file, offset: offset + record.offset }));
  }

  #time(): number {
    const now = this.#settings.clock.now();
    if (now >= this.#latest) return now;
    const seconds = (this.#latest - now) / 1000;
    if (now + CLOCK_TOLERANCE_MS < this.#latest) throw new Error(`the machine's clock went back by ${seconds} s`);
    return this.#latest;
  }

  #chain(events: readonly EncodableEvent[], time: number) {
    let { sequence, hash: previous } = this.#head;
    let offset = 0;
    const lines: string[] = [];
    const records = events.map((event) => {
      sequence += 1;
      const line = encodeRecord(event, { sequence, previous, time, source: this.#settings.origin });
      previous = hashOf(line);
      const bytes = Buffer.byteLength(line);
      const record = { sequence, hash: previous, type: event.type, subject: event.subject, time, offset, bytes };
      offset += bytes + 1;
      lines.push(`${line}\n`);
      return record;
    });
    return { lines, records };
  }

  #recovered(): void {
    if (this.#outage?.problem !== undefined) {
      this.#settings.onProblem(`The audit log in ${this.#settings.directory} is written again`);
    }
    this.#outage = undefined;
  }

  #failed(thrown: unknown, batch: readonly Waiting[]): void {
    this.#writingSince = undefined;
    const error = this.#unavailable(systemReason(thrown), thrown);
    const first = this.#outage?.problem === undefined;
    this.#outage ??= new Outage();
    this.#outage.failed(error.message, this.#settings.clock.now(), batch.length);
    if (thrown instanceof ForeignChange) this.#outage.changed(thrown.message);
    for (const { reject } of batch) reject(error);
    if (first) this.#settings.onProblem(error.message);
    this.#retryLater();
  }

  /** Nobody may ask while the gateway says that it is not ready, so it tries by itself. */
  #retryLater(): void {
    if (this.#retrying || this.#stop.signal.aborted) return;
    this.#retrying = true;
    this.#settings.clock.sleep(RETRY_MS, this.#stop.signal).then(
      () => {
        this.#retrying = false;
        this.#flush();
      },
      () => undefined,
    );
  }

  #unavailable(why: string, cause?: unknown): PlumblineError {
    return auditUnavailable(`The audit log in ${this.#settings.directory} cannot be written`, why, cause);
  }
}

const TYPE = /^dev\.plumbline(?:\.[a-z]+(?:-[a-z]+)*)+$/;

function encodableEvent(event: AuditEvent): EncodableEvent {
  if (!TYPE.test(event.type)) throw new TypeError(`'${event.type}' is no type of an audit event`);
  refuseCredentials(event);
  const data = canonicalJson(event.data);
  const bytes = Buffer.byteLength(data) + Buffer.byteLength(event.subject ?? '') * 6 + ENVELOPE_BYTES;
  if (bytes > LONGEST_RECORD_BYTES) throw new TypeError(`The audit event ${event.type} is too large: ${bytes} bytes`);
  return { type: event.type, subject: event.subject, data };
}
