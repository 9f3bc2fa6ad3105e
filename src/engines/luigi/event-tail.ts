import { closeSync, openSync, readSync } from 'node:fs';
import { type ParsedLine, parseLine } from './parse-event.ts';

const NEWLINE = 10;
const CHUNK = 64 * 1024;
/** The worker caps its lines far below; what is longer was not written by it. */
const LONGEST_LINE = 4 * 1024 * 1024;

/** Reads a growing event file by its own offset. Bytes after the last newline wait for the rest of their line. */
export class EventTail {
  readonly #descriptor: number;
  readonly #maxBytes: number;
  readonly #chunk = Buffer.allocUnsafe(CHUNK);
  #offset = 0;
  #rest: Buffer[] = [];
  #restLength = 0;

  /**
   * @param file its path, or a descriptor that is open for reading and belongs to the tail from now on
   * @param maxBytes of the file nothing is read beyond it; then it ends with a line that was cut
   */
  constructor(file: string | number, maxBytes = Number.POSITIVE_INFINITY) {
    this.#descriptor = typeof file === 'number' ? file : openSync(file, 'r');
    this.#maxBytes = maxBytes;
  }

  /** Nothing more will be read, whatever comes. */
  get isFull(): boolean {
    return this.#offset >= this.#maxBytes;
  }

  /** Every whole line that has come since, a chunk at a time; ends at the end of the file. Synchronous: nothing gets between. */
  *read(): Generator<ParsedLine> {
    for (;;) {
      const room = Math.min(CHUNK, this.#maxBytes - this.#offset);
      const size = room > 0 ? readSync(this.#descriptor, this.#chunk, 0, room, this.#offset) : 0;
      if (size === 0) return;
      this.#offset += size;
      yield* this.#lines(this.#chunk.subarray(0, size));
    }
  }

  /** What the file ends with instead of a newline: a line that was cut. To be asked when nobody writes any more. */
  *readRest(): Generator<ParsedLine> {
    if (this.#restLength > 0) yield* this.#line(Buffer.alloc(0));
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  *#lines(chunk: Buffer): Generator<ParsedLine> {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      yield* this.#line(chunk.subarray(start, end));
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
  }

  *#line(last: Buffer): Generator<ParsedLine> {
    const line = Buffer.concat([...this.#rest, last]);
    const isCut = this.#restLength + last.length > line.length;
    this.#rest = [];
    this.#restLength = 0;
    if (isCut) yield { kind: 'unreadable' };
    else if (line.length > 0) yield parseLine(line.toString('utf8'));
  }

  /** Of a line that is too long only its length. */
  #keep(rest: Buffer): void {
    if (rest.length === 0) return;
    this.#restLength += rest.length;
    if (this.#restLength > LONGEST_LINE) this.#rest = [];
    else this.#rest.push(Buffer.from(rest));
  }
}
