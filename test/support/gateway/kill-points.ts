import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { RunUpdate } from '#core/run.ts';
import { endStrays } from '#engines/luigi/stray-processes.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const LONGEST_MS = 45_000;

const TASKS = `
import os, time
import luigi

FOLDER = os.path.dirname(os.path.abspath(__file__))

class Step(luigi.Task):
    key = luigi.Parameter()
    def output(self):
        return luigi.LocalTarget(os.path.join(FOLDER, "out", type(self).__name__ + "-" + self.key))
    def run(self):
        assert os.environ["FROM_VAULT"] == "from the vault"
        descriptor = os.open(os.path.join(FOLDER, "ran"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, (type(self).__name__ + " " + self.key + "\\n").encode())
        os.close(descriptor)
        time.sleep(0.1)
        with self.output().open("w") as out:
            out.write("done")

class Leaf(Step):
    pass

class Root(Step):
    def requires(self):
        return Leaf(key=self.key)

class Slow(Step):
    def run(self):
        super().run()
        time.sleep(600)
`;

/** A row of the store, seen from outside. */
export interface SeenRun {
  readonly id: string;
  readonly key: string;
  readonly phase: string;
  readonly state: string;
  readonly attempt: number;
  readonly updates: number;
}

/** A gateway's runs in a process that is killed and started again on the same folder, watched through its files only. */
export class KilledGateway {
  readonly folder = mkdtempSync(join(tmpdir(), 'plumbline-kill-'));
  #child: ChildProcess | undefined;
  #reader: DatabaseSync | undefined;
  readonly messages: Record<string, unknown>[] = [];
  errors = '';

  constructor() {
    writeFileSync(join(this.folder, 'kill_points.py'), TASKS);
  }

  async start(): Promise<void> {
    const program = join(import.meta.dirname, 'runs-process.ts');
    const worker = join(ROOT, 'src/worker/plumbline_luigi');
    const child = fork(program, [this.folder, worker], {
      stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    this.#child = child;
    child.stderr?.on('data', (part: Buffer) => {
      this.errors += part.toString();
    });
    const ready = new Promise<void>((resolve, reject) => {
      child.on('message', (message: Record<string, unknown>) => {
        this.messages.push(message);
        if (message['ready']) resolve();
      });
      child.on('exit', () => reject(new Error(`The process did not start: ${this.errors}`)));
    });
    await ready;
  }

  /** What the process is asked to do; whether it hears of it is part of the question. */
  ask(command: object): void {
    this.#child?.send(command, () => {});
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (!child) return;
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

  run(key: string): SeenRun | undefined {
    return this.runs().find((run) => run.key === key);
  }

  runs(): readonly SeenRun[] {
    return this.#query('select id, key, phase, state, attempt, updates from runs order by id') as unknown as SeenRun[];
  }

  updates(id: string): readonly { readonly sequence: number; readonly update: RunUpdate }[] {
    const rows = this.#query('select sequence, update_json from run_events where run_id = ? order by sequence', id);
    return rows.map((row) => ({
      sequence: Number(row['sequence']),
      update: JSON.parse(String(row['update_json'])) as RunUpdate,
    }));
  }

  /** Types of the audit's records about a run, in order; without an id, of all. */
  audited(id?: string): readonly string[] {
    return this.#auditLines().flatMap((line) => {
      if (!line.startsWith('{') || !line.endsWith('}')) return [];
      const { type, subject } = JSON.parse(line) as { type: string; subject?: string };
      return id === undefined || subject === id ? [type.replace('dev.plumbline.', '')] : [];
    });
  }

  get auditText(): string {
    return this.#auditLines().join('\n');
  }

  /** Which tasks really ran, a line each time. */
  ran(): readonly string[] {
    const file = join(this.folder, 'ran');
    return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [];
  }

  exists(...path: string[]): boolean {
    return existsSync(join(this.folder, ...path));
  }

  text(...path: string[]): string {
    return this.exists(...path) ? readFileSync(join(this.folder, ...path), 'utf8') : '';
  }

  async remove(): Promise<void> {
    await this.kill().catch(() => undefined);
    for (const { id, attempt } of this.runs())
      for (let number = 1; number <= attempt; number += 1) await endStrays(`${id}.${number}`, { graceMs: 0 });
    this.#reader?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  #auditLines(): readonly string[] {
    const folder = join(this.folder, 'audit');
    if (!existsSync(folder)) return [];
    const files = readdirSync(folder)
      .filter((name) => name.endsWith('.jsonl'))
      .sort();
    return files.flatMap((name) => readFileSync(join(folder, name), 'utf8').split('\n'));
  }

  #query(sql: string, ...values: string[]): Record<string, unknown>[] {
    if (!this.exists('store.sqlite')) return [];
    try {
      this.#reader ??= new DatabaseSync(join(this.folder, 'store.sqlite'), { readOnly: true, timeout: 1_000 });
      return this.#reader.prepare(sql).all(...values) as Record<string, unknown>[];
    } catch {
      // Not made yet, or its owner has just gone.
      this.#reader?.close();
      this.#reader = undefined;
      return [];
    }
  }
}

/** A moment in a run's life, told by what lies on the disk. */
export interface KillPoint {
  readonly name: string;
  readonly is: (gateway: KilledGateway, key: string) => boolean;
  /** Asks for the end of a run that would not end by itself. */
  readonly cancel?: boolean;
}

const audited = (type: string, cancel = false): KillPoint => ({
  name: `${type} is on record`,
  cancel,
  // Before the run is stored, only the record says its key.
  is: (gateway, key) =>
    gateway.auditText.split('\n').some((line) => line.includes(`${type}"`) && line.includes(`"${key}"`)),
});
const auditedOf = (type: string): KillPoint => ({
  name: `${type} is on record`,
  is: (gateway, key) => gateway.audited(gateway.run(key)?.id ?? '-').includes(type),
});
const PHASES = ['accepted', 'queued', 'launching', 'running', 'ended', 'closed'];
const phase = (wanted: string): KillPoint => ({
  name: `the store says ${wanted}`,
  is: (gateway, key) => PHASES.indexOf(gateway.run(key)?.phase ?? '') >= PHASES.indexOf(wanted),
});
const file = (...path: string[]): KillPoint => ({
  name: `${path.join('/')} is there`,
  is: (gateway, key) => {
    const id = gateway.run(key)?.id;
    return id !== undefined && gateway.exists('runs', ...path.map((part) => part.replace('RUN', id)));
  },
});
const event = (text: string): KillPoint => ({
  name: `the worker has written ${text}`,
  is: (gateway, key) => gateway.text('runs', `${gateway.run(key)?.id}.1`, 'events.jsonl').includes(text),
});
const updates = (count: number): KillPoint => ({
  name: `${count} updates are stored`,
  is: (gateway, key) => (gateway.run(key)?.updates ?? 0) >= count,
});

export const KILL_POINTS: readonly KillPoint[] = [
  audited('run.create.intent'),
  phase('accepted'),
  audited('run.create.outcome'),
  phase('queued'),
  audited('run.start.intent'),
  phase('launching'),
  auditedOf('secrets.read.intent'),
  auditedOf('secrets.read.outcome'),
  file('records', 'RUN.1.attempt.json'),
  file('RUN.1'),
  file('RUN.1', 'claim.json'),
  auditedOf('run.start.outcome'),
  phase('running'),
  event('"'),
  updates(3),
  updates(5),
  file('RUN.1', 'exit.json'),
  phase('ended'),
  auditedOf('run.end'),
  phase('closed'),
  { ...audited('run.cancel.intent', true) },
  { ...file('records', 'RUN.1.stop.json'), cancel: true },
];
