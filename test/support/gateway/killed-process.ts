import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';

const LONGEST_MS = 60_000;

type Row = Record<string, unknown>;

/** A gateway's process that is killed and started again on the same folder, watched through its files only. */
export abstract class KilledProcess<Run extends { readonly key: string }> {
  readonly folder = mkdtempSync(join(tmpdir(), 'plumbline-kill-'));
  /** What it sent. */
  readonly messages: Record<string, unknown>[] = [];
  errors = '';
  #child: ChildProcess | undefined;
  #reader: DatabaseSync | undefined;

  /** Its program beside this file, and what it is given behind the folder. */
  protected abstract readonly program: readonly [file: string, ...args: string[]];
  /** Reads its runs from the store. */
  protected abstract readonly query: string;

  /** Resolves with the first message. */
  async start(): Promise<void> {
    const [file, ...args] = this.program;
    const child = fork(join(import.meta.dirname, file), [this.folder, ...args], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    this.#child = child;
    child.stderr?.on('data', (part: Buffer) => {
      this.errors += part.toString();
    });
    child.on('message', (message: Record<string, unknown>) => this.messages.push(message));
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve());
      child.once('exit', () => reject(new Error(`The process did not start: ${this.errors}`)));
    });
  }

  /** What the process is asked to do; whether it hears of it is part of the question. */
  ask(command: object): void {
    this.#child?.send(command, () => {});
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /** Looks as often as this process can. */
  async until(is: () => boolean, what: string): Promise<void> {
    const end = Date.now() + LONGEST_MS;
    while (!is()) {
      if (Date.now() > end) throw new Error(`It did not come: ${what}; ${JSON.stringify(this.runs())} ${this.errors}`);
      await turn();
    }
  }

  run(key: string): Run | undefined {
    return this.runs().find((run) => run.key === key);
  }

  runs(): readonly Run[] {
    return this.rows(this.query) as unknown as Run[];
  }

  exists(...path: string[]): boolean {
    return existsSync(join(this.folder, ...path));
  }

  /** Lines of the audit log, in order. */
  auditLines(): readonly string[] {
    if (!this.exists('audit')) return [];
    const folder = join(this.folder, 'audit');
    const files = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));
    return files.toSorted().flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'));
  }

  /** Records of the audit log; one that is half written is left out. */
  auditRecords(): readonly { readonly type: string; readonly subject?: string; readonly data: Row }[] {
    const whole = this.auditLines().filter((line) => line.startsWith('{') && line.endsWith('}'));
    return whole.map((line) => JSON.parse(line));
  }

  async remove(): Promise<void> {
    await this.kill();
    this.#reader?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Of the store; none before it is made, and while its owner has just gone. */
  protected rows(sql: string, ...values: string[]): Row[] {
    if (!this.exists('store.sqlite')) return [];
    try {
      this.#reader ??= new DatabaseSync(join(this.folder, 'store.sqlite'), { readOnly: true, timeout: 1_000 });
      return this.#reader.prepare(sql).all(...values) as Row[];
    } catch {
      this.#reader?.close();
      this.#reader = undefined;
      return [];
    }
  }
}
