import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { RunOutcome, RunRef, RunUpdate } from '#core/run.ts';
import type { Engine } from '#engines/engine.ts';
import { luigiAgent } from '#engines/luigi/luigi-agent.ts';
import { type PythonInterpreter, resolvePython } from '#engines/luigi/python-interpreter.ts';
import type { LuigiRunRequest } from '#engines/luigi/request.ts';
import { endStrays, findStrays } from '#engines/luigi/stray-processes.ts';
import { pythonOf } from '../../scripts/python-environments.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MODULES = join(ROOT, 'test/fixtures/luigi-agent');
export const WORKER_PATH = join(ROOT, 'src/worker/plumbline_luigi');

/** The Python that set-up prepared with Luigi. */
export function luigiPython(): string {
  return pythonOf(ROOT, 'luigi');
}

/** A stream that keeps what it is given. */
export class Collector extends Writable {
  readonly chunks: Buffer[] = [];

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.chunks.push(chunk);
    done();
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

export interface ScenarioRun {
  readonly ref: RunRef;
  readonly updates: readonly RunUpdate[];
  readonly outcome: RunOutcome;
}

/** A folder, an engine and the tasks of test/fixtures/luigi-agent. */
export class LuigiScenario {
  readonly folder: string;
  readonly stdout = new Collector();
  readonly stderr = new Collector();
  readonly engine: Engine<LuigiRunRequest>;
  readonly #python: PythonInterpreter;
  readonly #ids = new Set<string>();

  constructor(folder: string, python: PythonInterpreter) {
    this.folder = folder;
    this.#python = python;
    this.engine = this.engineOf();
    mkdirSync(join(folder, 'out'), { recursive: true });
  }

  static async create(folder = mkdtempSync(join(tmpdir(), 'plumbline-agent-'))): Promise<LuigiScenario> {
    return new LuigiScenario(folder, await resolvePython({ python: luigiPython(), workingDirectory: tmpdir() }));
  }

  get runsDirectory(): string {
    return join(this.folder, 'runs');
  }

  /** One more engine on the same runs, as another process would have. */
  engineOf(runsDirectory = this.runsDirectory): Engine<LuigiRunRequest> {
    const output = { stdout: this.stdout, stderr: this.stderr };
    return luigiAgent({ workerPath: WORKER_PATH, runsDirectory, output, graceMs: 500 });
  }

  request(task: string, changes: Partial<LuigiRunRequest> = {}): LuigiRunRequest {
    const id = changes.id ?? `run-${process.pid}-${Math.random().toString(36).slice(2)}`;
    this.#ids.add(id);
    return {
      id,
      attempt: '1.1',
      module: 'scenarios',
      task,
      parameters: {},
      secretParameters: {},
      secretEnvironment: {},
      secretFiles: {},
      python: this.#python,
      workingDirectory: this.folder,
      scheduler: 'local',
      workers: 1,
      redact: [],
      ...changes,
      environment: { PYTHONPATH: MODULES, PYTHONDONTWRITEBYTECODE: '1', ...changes.environment },
    };
  }

  async run(task: string, changes: Partial<LuigiRunRequest> = {}): Promise<ScenarioRun> {
    const ref = await this.engine.start(this.request(task, changes), new AbortController().signal);
    return { ref, ...(await followToEnd(this.engine, ref)) };
  }

  /** Ends whatever a test left. */
  async close(): Promise<void> {
    for (const id of this.#ids) await endStrays(id, { graceMs: 0 });
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export async function followToEnd(
  engine: Pick<Engine<never>, 'follow'>,
  ref: RunRef,
): Promise<{ updates: readonly RunUpdate[]; outcome: RunOutcome }> {
  const updates: RunUpdate[] = [];
  for await (const update of engine.follow(ref, new AbortController().signal)) updates.push(update);
  const last = updates.at(-1);
  if (last?.kind !== 'outcome') throw new Error(`The run ${ref.id} ended without an outcome.`);
  return { updates, outcome: last.outcome };
}

/** Resolves when a task is in this state; the run goes on. */
export async function untilTask(
  engine: Pick<Engine<never>, 'follow'>,
  ref: RunRef,
  family: string,
  state: string,
): Promise<void> {
  for await (const update of engine.follow(ref, new AbortController().signal)) {
    if (update.kind === 'task' && update.task.family === family && update.task.state === state) return;
    if (update.kind === 'outcome') throw new Error(`${family} was never ${state}: ${update.outcome.summary}`);
  }
}

/**
 * The marked processes of a run as soon as there are so many; after 5 s, what there is. A process that was just started or
 * is just ending is there a moment sooner or later.
 */
export async function straysOnceThereAre(id: string, enough: (count: number) => boolean) {
  const end = Date.now() + 5_000;
  for (;;) {
    const strays = findStrays(id);
    if (enough(strays.length) || Date.now() > end) return strays;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Resolves when a task has said something of itself. */
export async function untilStatus(engine: Pick<Engine<never>, 'follow'>, ref: RunRef): Promise<void> {
  for await (const update of engine.follow(ref, new AbortController().signal)) {
    if (update.kind === 'status') return;
    if (update.kind === 'outcome') throw new Error(`No task said anything: ${update.outcome.summary}`);
  }
}
