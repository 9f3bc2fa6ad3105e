import { StringDecoder } from 'node:string_decoder';

/**
 * Bytes to lines as the agent's stream reader does it: `\n`, `\r` and `\r\n` each end a line, so a progress bar drawn
 * with `\r` is many lines. What is left at the end is a line too.
 */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8');
  readonly #onLine: (line: string) => void;
  #rest = '';

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  write(bytes: Uint8Array): void {
    this.#take(this.#decoder.write(Buffer.from(bytes)));
  }

  end(): void {
    this.#take(this.#decoder.end());
    if (this.#rest !== '') this.#onLine(this.#rest.replace(/\r$/, ''));
    this.#rest = '';
  }

  #take(text: string): void {
    // A `\r` at the very end may be the first half of `\r\n`: it waits for the next bytes.
    const held = this.#rest.endsWith('\r');
    if (held) this.#rest = this.#rest.slice(0, -1);
    const [first = '', ...others] = (held ? `\r${text}` : text).split(/\r\n|\n|\r(?!$)/);
    const lines = [this.#rest + first, ...others];
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#onLine(line);
  }
}
