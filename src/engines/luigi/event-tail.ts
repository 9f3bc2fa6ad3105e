import { closeSync, openSync, readSync } from 'node:fs';
import { type ParsedLine, parseLine } from './parse-event.ts';

const NEWLINE = 10;
const CHUNK = 64 * 1024;
/** The worker caps its lines far below; what is longer was not written by it. */
const LONGEST_LINE = 4 * 1024 * 1024;

/** Reads a growing event file by its own offset. Bytes after the last newline wait for the rest of their line. */
export class EventTail {
  readonly #descriptor: number;
  readonly #chunk = Buffer.allocUnsafe(CHUNK);
  #offset = 0;
  #rest: Buffer[] = [];
  #restLength = 0;

  constructor(path: string) {
    this.#descriptor = openSync(path, 'r');
  }

  /** Every whole line that has come since, a chunk at a time; ends at the end of the file. Synchronous: nothing gets between. */
  *read(): Generator<ParsedLine> {
    for (;;) {
      const size = readSync(this.#descriptor, this.#chunk, 0, CHUNK, this.#offset);
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
