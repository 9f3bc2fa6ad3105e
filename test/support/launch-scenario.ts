import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RunOutcome, RunUpdate } from '#core/run.ts';
import { endStrays } from '#engines/luigi/stray-processes.ts';
import type { LaunchLimits, LaunchLog } from '#gateway/launch/launch-settings.ts';
import type { Launch, Launcher } from '#gateway/launch/launcher.ts';
import { localLauncher } from '#gateway/launch/local-launcher.ts';
import { luigiPython } from './luigi-scenario.ts';
import { placeForOthers } from './place-for-others.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MODULES = join(ROOT, 'test/fixtures/luigi');
const WORKER_PATH = join(ROOT, 'src/worker/plumbline_luigi');
const SILENT: LaunchLog = { info: () => {}, warn: () => {} };

export interface ScenarioOptions {
  readonly isolation?: 'user' | 'none';
  readonly log?: LaunchLog;
  readonly limits?: Partial<LaunchLimits>;
}

/** A folder with a launcher and the tasks of test/fixtures/luigi. */
export class LaunchScenario {
  readonly folder: string;
  readonly runsDirectory: string;
  readonly work: string;
  readonly launcher: Launcher;
  readonly #python: string;
  readonly #modulePath: readonly string[];
  readonly #names = new Set<string>();

  private constructor(folder: string, launcher: Launcher) {
    this.folder = folder;
    this.runsDirectory = join(folder, 'runs');
    this.work = join(folder, 'work');
    this.launcher = launcher;
    const others = launcher.isolation === 'user' ? placeForOthers() : undefined;
    this.#python = others?.python ?? luigiPython();
    this.#modulePath = others?.modulePath ?? [MODULES];
  }

  /** In a folder that is there already: one more launcher on the same runs, as after a restart. */
  static async create(options: ScenarioOptions = {}, existing?: string): Promise<LaunchScenario> {
    const others = options.isolation === 'user' ? placeForOthers() : undefined;
    const folder = existing ?? mkdtempSync(join(others?.folder ?? tmpdir(), 'plumbline-launch-'));
    // Workers of other users pass through it.
    chmodSync(folder, 0o711);
    mkdirSync(join(folder, 'work'), { recursive: true });
    const { isolation = 'none', log = SILENT, limits } = options;
    const launcher = await localLauncher({
      runsDirectory: join(folder, 'runs'),
      workerPath: others?.workerPath ?? WORKER_PATH,
      isolation,
      log,
      limits: { graceMs: 500, ...limits },
    });
    return new LaunchScenario(folder, launcher);
  }

  launch(module: string, task: string, changes: Partial<Launch> = {}): Launch {
    const runId = changes.runId ?? crypto.randomUUID();
    this.#names.add(`${runId}.${changes.attempt ?? 1}`);
    return {
      attempt: 1,
      module,
      task,
      parameters: {},
      workers: 1,
      scheduler: 'local',
      python: { path: this.#python, version: '3.13.0', luigiVersion: '3.8.1' },
      workingDirectory: this.work,
      secretVariables: {},
      secretFiles: {},
      secretParameters: {},
      ...changes,
      runId,
      modulePath: [...this.#modulePath, ...(changes.modulePath ?? [])],
      variables: { PYTHONDONTWRITEBYTECODE: '1', ...changes.variables },
    };
  }

  /** Starts it; gives its run id. */
  async start(module: string, task: string, changes: Partial<Launch> = {}): Promise<string> {
    const launch = this.launch(module, task, changes);
    await this.launcher.start(launch);
    return launch.runId;
  }

  attemptFolder(runId: string, attempt = 1): string {
    return join(this.runsDirectory, `${runId}.${attempt}`);
  }

  async outputOf(runId: string): Promise<string> {
    const { bytes } = await this.launcher.output(runId, 1, { start: 0 });
    return Buffer.from(bytes).toString('utf8');
  }

  /** Ends whatever a test left. */
  async close(): Promise<void> {
    for (const name of this.#names) await endStrays(name, { graceMs: 0 });
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export async function followAttempt(
  launcher: Launcher,
  runId: string,
  attempt = 1,
): Promise<{ updates: readonly RunUpdate[]; outcome: RunOutcome }> {
  const updates: RunUpdate[] = [];
  for await (const update of launcher.follow(runId, attempt, new AbortController().signal)) updates.push(update);
  const last = updates.at(-1);
  if (last?.kind !== 'outcome') throw new Error(`The run ${runId} ended without an outcome.`);
  return { updates, outcome: last.outcome };
}

/** Resolves when it holds; what never does fails after 15 s. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 15_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`It did not come to: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
