import type { Terminal } from '#cli/terminal.ts';

/** A terminal that keeps what it was told, with files and an input of the test's. */
export class RecordingTerminal implements Terminal {
  readonly lines: string[] = [];
  readonly errors: string[] = [];
  readonly #files: Readonly<Record<string, string>>;
  readonly #input: string;

  constructor({ files = {}, input = '' }: { files?: Readonly<Record<string, string>>; input?: string } = {}) {
    this.#files = files;
    this.#input = input;
  }

  get output(): string {
    return this.lines.join('\n');
  }

  get everything(): string {
    return [...this.lines, ...this.errors].join('\n');
  }

  out(line: string): void {
    this.lines.push(line);
  }

  error(line: string): void {
    this.errors.push(line);
  }

  paint(_colour: string, text: string): string {
    return text;
  }

  read(path: string): string {
    const text = this.#files[path];
    if (text === undefined) throw new Error(`the test has no file ${path}`);
    return text;
  }

  async readInput(): Promise<string> {
    return this.#input;
  }
}
