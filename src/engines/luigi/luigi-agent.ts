import { PlumblineError } from '#core/errors.ts';
import type { TaskGraph } from '#core/graph.ts';
import type { RunRef, RunUpdate } from '#core/run.ts';
import type { CancelReason, Engine, FoundRun } from '../engine.ts';
import { LuigiRun } from './luigi-run.ts';
import { identifyProcess } from './process-identity.ts';
import type { LuigiRunRequest } from './request.ts';
import { RunDirectory, type RunRecord } from './run-directory.ts';
import { endStrays } from './stray-processes.ts';
import type { OutputSinks } from './worker-output.ts';
import { startWorker } from './worker-process.ts';

export interface LuigiAgentOptions {
  /** Folder of the Python package plumbline_luigi. */
  readonly workerPath: string;
  /** Folder (0700) below which each run has one of its own; the same for every attempt that is to find it. */
  readonly runsDirectory: string;
  /** Where the user's output goes. */
  readonly output: OutputSinks;
  /** Milliseconds between SIGTERM and SIGKILL when a run is stopped; default 3,000. */
  readonly graceMs?: number;
}

const DEFAULT_GRACE_MS = 3_000;
/** How often the supervisor looks for its parent, and what it takes to kill: added to the grace. */
const WIND_DOWN_MS = 2_500;
const LOOK_EVERY_MS = 50;

/**
 * Luigi on this machine: a worker process of our own, under a supervisor, followed by the file it writes. A run ends itself
 * when the process that started it is gone.
 */
export function luigiAgent(options: LuigiAgentOptions): Engine<LuigiRunRequest> {
  return new LuigiAgent(options);
}

class LuigiAgent implements Engine<LuigiRunRequest> {
  readonly name = 'luigi-agent';
  readonly capabilities = { survivesCaller: false, taskLogs: false, staticGraph: false };
  readonly #options: LuigiAgentOptions;
  /** Runs that this process started, by handle. */
  readonly #own = new Map<string, LuigiRun>();

  constructor(options: LuigiAgentOptions) {
    this.#options = options;
  }

  async start(request: LuigiRunRequest, signal: AbortSignal): Promise<RunRef> {
    signal.throwIfAborted();
    refuseWindows();
    const directory = RunDirectory.of(this.#options.runsDirectory, request.id);
    const record = recordOf(request);
    if (!directory.claim(record)) return this.#ref(request.id, directory);
    try {
      this.#own.set(directory.path, await this.#launch(request, directory, record));
    } catch (error) {
      await endStrays(request.id, { graceMs: 0 });
      directory.remove();
      throw error;
    }
    return this.#ref(request.id, directory);
  }

  async find(id: string, signal: AbortSignal): Promise<FoundRun | undefined> {
    const directory = RunDirectory.of(this.#options.runsDirectory, id);
    if (!directory.record()) return undefined;
    const run = this.#run(directory.path);
    if (!run.ownerAlive) {
      await this.#windDown(run, signal);
      // Nobody has seen to its processes: the next run of the key must not go beside them.
      if (!directory.exitRecord()) await endStrays(id, { graceMs: 0, group: run.record.supervisor?.pid });
    }
    return { ref: this.#ref(id, directory), state: run.state(), attempt: run.record.attempt };
  }

  follow(ref: RunRef, signal: AbortSignal): AsyncIterable<RunUpdate> {
    return this.#run(ref.handle).follow(signal);
  }

  cancel(ref: RunRef, reason: CancelReason): Promise<'stopped' | 'requested'> {
    return this.#run(ref.handle).stop(reason);
  }

  async graph(ref: RunRef, signal: AbortSignal): Promise<TaskGraph> {
    signal.throwIfAborted();
    const graph = this.#run(ref.handle).story().tasks.graph();
    if (graph) return graph;
    throw new PlumblineError('ERR_RUN_NOT_RUN', `The run ${ref.id} has no graph: its root task was never built`);
  }

  #run(handle: string): LuigiRun {
    const own = this.#own.get(handle);
    if (own) return own;
    const directory = new RunDirectory(handle);
    const record = directory.record();
    if (record) return new LuigiRun(directory, record);
    throw new PlumblineError('ERR_RUN_LOST', `The run in ${handle} cannot be found: its folder has no record of one`, {
      remedy: 'A run lives in the temporary folder of its job; it cannot be followed from another job.',
    });
  }

  async #launch(request: LuigiRunRequest, directory: RunDirectory, record: RunRecord): Promise<LuigiRun> {
    const { workerPath, output: sinks, graceMs = DEFAULT_GRACE_MS } = this.#options;
    const worker = await startWorker(request, directory, { workerPath, sinks, graceMs });
    const supervisor = identifyProcess(worker.pid) ?? { pid: worker.pid, started: 'ended' };
    directory.remember({ ...record, supervisor });
    return new LuigiRun(directory, { ...record, supervisor }, worker);
  }

  /** A run whose owner is gone ends itself: nobody adopts it while it does. */
  async #windDown(run: LuigiRun, signal: AbortSignal): Promise<void> {
    const end = Date.now() + (this.#options.graceMs ?? DEFAULT_GRACE_MS) + WIND_DOWN_MS;
    while (!run.isOver() && Date.now() < end) {
      signal.throwIfAborted();
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  }

  #ref(id: string, directory: RunDirectory): RunRef {
    return { id, engine: this.name, handle: directory.path };
  }
}

function recordOf({ id, attempt, module, task }: LuigiRunRequest): RunRecord {
  const owner = identifyProcess(process.pid);
  if (!owner) throw new TypeError('This process cannot find itself.');
  return { id, attempt, module, task, startedAt: Date.now(), owner };
}

function refuseWindows(): void {
  if (process.platform !== 'win32') return;
  throw new PlumblineError(
    'ERR_PLATFORM_UNSUPPORTED',
    'Luigi cannot be run on a Windows agent: its worker needs fork',
    {
      remedy: 'Use an agent with Linux or macOS.',
    },
  );
}
