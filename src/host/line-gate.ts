import { Writable } from 'node:stream';

const NEWLINE = 0x0a;

/** How long a line of somebody else may stay open before ours end it: a progress bar never ends its line. */
const PATIENCE_MS = 1_000;

/**
 * One stream for two writers: a program whose output passes through, and the step itself. A line of the step waits until
 * the program's line has ended, because a line that is cut in two can be neither masked by the agent nor read by a person.
 */
export class LineGate {
  /** Where the program's output goes. */
  readonly program: Writable;
  readonly #stream: NodeJS.WritableStream;
  readonly #waiting: string[] = [];
  #isOpen = false;
  #patience: NodeJS.Timeout | undefined;

  constructor(stream: NodeJS.WritableStream) {
    this.#stream = stream;
    this.program = new Writable({ write: (chunk: Buffer, _encoding, done) => this.#pass(chunk, done) });
  }

  /** Writes text of the step that ends in a newline, now or as soon as a line can begin. */
  write(text: string): boolean {
    if (!this.#isOpen) return this.#stream.write(text);
    this.#waiting.push(text);
    this.#patience ??= setTimeout(() => this.flush(), PATIENCE_MS).unref();
    return true;
  }

  /** Ends an open line and writes what waits. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    if (this.#isOpen) this.#stream.write('\n');
    this.#isOpen = false;
    this.#release();
  }

  #pass(chunk: Buffer, done: (error?: Error | null) => void): void {
    const end = this.#waiting.length > 0 ? chunk.indexOf(NEWLINE) : -1;
    if (end === -1) {
      this.#isOpen = chunk.at(-1) !== NEWLINE && (chunk.length > 0 || this.#isOpen);
      this.#stream.write(chunk, done);
      return;
    }
    this.#stream.write(chunk.subarray(0, end + 1));
    this.#isOpen = false;
    this.#release();
    this.#pass(chunk.subarray(end + 1), done);
  }

  #release(): void {
    clearTimeout(this.#patience);
    this.#patience = undefined;
    for (const text of this.#waiting.splice(0)) this.#stream.write(text);
  }
}
