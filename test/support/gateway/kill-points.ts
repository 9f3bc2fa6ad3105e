import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunUpdate } from '#core/run.ts';
import { endStrays } from '#engines/luigi/stray-processes.ts';
import { KilledProcess } from './killed-process.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

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

/** Runs of Luigi: `{ create: KEY, task }` and `{ cancel: ID }`. */
export class KilledGateway extends KilledProcess<SeenRun> {
  protected readonly program = ['runs-process.ts', join(ROOT, 'src/worker/plumbline_luigi')] as const;
  protected readonly query = 'select id, key, phase, state, attempt, updates from runs order by id';

  constructor() {
    super();
    writeFileSync(join(this.folder, 'kill_points.py'), TASKS);
  }

  updates(id: string): readonly { readonly sequence: number; readonly update: RunUpdate }[] {
    const rows = this.rows('select sequence, update_json from run_events where run_id = ? order by sequence', id);
    return rows.map((row) => ({
      sequence: Number(row['sequence']),
      update: JSON.parse(String(row['update_json'])) as RunUpdate,
    }));
  }

  /** Types of the audit's records about a run, in order; without an id, of all. */
  audited(id?: string): readonly string[] {
    const records = this.auditRecords().filter(({ subject }) => id === undefined || subject === id);
    return records.map(({ type }) => type.replace('dev.plumbline.', ''));
  }

  get auditText(): string {
    return this.auditLines().join('\n');
  }

  /** Which tasks really ran, a line each time. */
  ran(): readonly string[] {
    const text = this.text('ran').trim();
    return text === '' ? [] : text.split('\n');
  }

  text(...path: string[]): string {
    return this.exists(...path) ? readFileSync(join(this.folder, ...path), 'utf8') : '';
  }

  override async remove(): Promise<void> {
    await this.kill();
    for (const { id, attempt } of this.runs())
      for (let number = 1; number <= attempt; number += 1) await endStrays(`${id}.${number}`, { graceMs: 0 });
    await super.remove();
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
