import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('./audit-writer.ts', import.meta.url));

/** A process of audit-writer.ts and what it has told. */
export class AuditWriterProcess {
  readonly told: string[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #rest = '';

  /** @param wrapper a command that starts it, such as `prlimit --fsize=4096` */
  constructor(settings: {
    directory: string;
    keys: string;
    width?: number;
    user?: number;
    wrapper?: readonly string[];
  }) {
    const { directory, keys, width = 8, user, wrapper = [] } = settings;
    const own = ['--disable-warning=ExperimentalWarning', PROGRAM, directory, keys, String(width)];
    const command = [...wrapper, process.execPath, ...own, ...(user === undefined ? [] : [String(user)])];
    this.#child = spawn(command[0] as string, command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#ended = once(this.#child, 'close');
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => this.#read(text));
  }

  /** Sequence and hash of every record that it was told to be on the disk. */
  get receipts(): Map<number, string> {
    const pairs = this.told.map((line) => line.split(' ')).filter(([sequence]) => /^\d+$/.test(sequence ?? ''));
    return new Map(pairs.map(([sequence, hash]) => [Number(sequence), hash ?? '']));
  }

  /** Until the process has told something for which this holds. */
  async until(isThere: (told: readonly string[]) => boolean): Promise<void> {
    const end = performance.now() + 30_000;
    while (!isThere(this.told)) {
      if (performance.now() > end) throw new Error(`the writer tells nothing: ${this.told.slice(-5).join(', ')}`);
      if (this.#child.exitCode !== null) throw new Error(`the writer ended: ${this.told.slice(-5).join(', ')}`);
      await new Promise((wake) => setTimeout(wake, 2));
    }
  }

  /** Once or more often. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  async ended(): Promise<void> {
    await this.#ended;
  }

  #read(text: string): void {
    const lines = `${this.#rest}${text}`.split('\n');
    this.#rest = lines.pop() ?? '';
    this.told.push(...lines);
  }
}
