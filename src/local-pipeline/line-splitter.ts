import { StringDecoder } from 'node:string_decoder';

/**
 * Bytes to lines as the agent's stream reader does it: `\n`, `\r` and `\r\n` each end a line, so a progress bar drawn
 * with `\r` is many lines. What is left at the end is a line too.
 */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8');
  readonly #onLine: (line: string) => void;
  /** The line so far, in pieces: joining them for each piece would cost a long line dearly. */
  #pieces: string[] = [];
  /** A `\r` at the end of what has arrived may be the first half of `\r\n`: it waits. */
  #held = false;

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  write(bytes: Uint8Array): void {
    this.#take(this.#decoder.write(Buffer.from(bytes)));
  }

  end(): void {
    this.#take(this.#decoder.end());
    const line = this.#pieces.join('');
    if (line !== '' || this.#held) this.#onLine(line);
    this.#pieces = [];
    this.#held = false;
  }

  #take(arrived: string): void {
    if (arrived === '') return;
    const text = this.#held ? `\r${arrived}` : arrived;
    this.#held = text.endsWith('\r');
    const [first = '', ...others] = (this.#held ? text.slice(0, -1) : text).split(/\r\n|\n|\r/);
    this.#pieces.push(first);
    for (const next of others) {
      this.#onLine(this.#pieces.join(''));
      this.#pieces = [next];
    }
  }
}
