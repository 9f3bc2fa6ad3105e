import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import type { ScriptedAzureDevOps } from '../scripted-azure-devops.ts';

const LONGEST_MS = 60_000;

/** A pipeline run in the store, seen from outside. */
export interface SeenPipelineRun {
  readonly id: string;
  readonly key: string;
  readonly phase: string;
  readonly state: string;
  readonly azure_run: number | null;
}

/** Pipeline runs in a process that is killed and started again on the same folder, watched through its files only. */
export class KilledDispatch {
  readonly folder = mkdtempSync(join(tmpdir(), 'plumbline-dispatch-kill-'));
  readonly #azure: ScriptedAzureDevOps;
  #child: ChildProcess | undefined;
  errors = '';

  constructor(azure: ScriptedAzureDevOps) {
    this.#azure = azure;
  }

  async start(): Promise<void> {
    const { proxy, caFile } = this.#azure.network as { proxy: { url: string }; caFile: string };
    const child = fork(join(import.meta.dirname, 'dispatch-process.ts'), [this.folder, proxy.url, caFile], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    this.#child = child;
    child.stderr?.on('data', (part: Buffer) => {
      this.errors += part.toString();
    });
    await new Promise<void>((resolve, reject) => {
      child.on('message', () => resolve());
      child.on('exit', () => reject(new Error(`The process did not start: ${this.errors}`)));
    });
  }

  /** Whether the process hears of it is part of the question. */
  ask(key: string): void {
    this.#child?.send(key, () => {});
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

  run(key: string): SeenPipelineRun | undefined {
    return this.runs().find((run) => run.key === key);
  }

  runs(): readonly SeenPipelineRun[] {
    if (!existsSync(join(this.folder, 'store.sqlite'))) return [];
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(join(this.folder, 'store.sqlite'), { readOnly: true, timeout: 1_000 });
      const rows = database.prepare('select id, key, phase, state, azure_run from pipeline_runs order by id').all();
      return rows as unknown as SeenPipelineRun[];
    } catch {
      // Not made yet, or its owner has just gone.
      return [];
    } finally {
      database?.close();
    }
  }

  /** Records of the audit about a key, in order. */
  audited(key: string): readonly { readonly type: string; readonly data: Record<string, unknown> }[] {
    const folder = join(this.folder, 'audit');
    const files = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.jsonl')) : [];
    const lines = files.toSorted().flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'));
    const whole = lines.filter((line) => line.startsWith('{') && line.endsWith('}')).map((line) => JSON.parse(line));
    return whole.filter(({ data }) => data.key === key);
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
