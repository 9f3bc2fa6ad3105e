import type { RunState, RunUpdate } from '#core/run.ts';
import type { CancelReason } from '../engine.ts';
import { EventTail } from './event-tail.ts';
import { FileSignal } from './file-signal.ts';
import { type FollowedRun, followWorker } from './follow-worker.ts';
import { concludeRun, type EndedRun } from './outcome.ts';
import { isAlive, sendSignal } from './process-identity.ts';
import type { RunDirectory, RunRecord } from './run-directory.ts';
import { RunStory } from './run-story.ts';
import { endStrays } from './stray-processes.ts';
import type { SupervisorExit, WorkerProcess } from './worker-process.ts';

/** From SIGTERM until the supervisor must have confirmed; its own grace is shorter. */
const CONFIRM_MS = 4_000;
const LOOK_EVERY_MS = 25;

/** One run as it can be seen from here: by its folder, and by its process when this process started it. */
export class LuigiRun {
  readonly directory: RunDirectory;
  readonly record: RunRecord;
  readonly #worker: WorkerProcess | undefined;
  #exit: SupervisorExit | undefined;
  /** Why the secrets could not be removed when the supervisor had ended. */
  #secretsLeft: string | undefined;

  constructor(directory: RunDirectory, record: RunRecord, worker?: WorkerProcess) {
    this.directory = directory;
    this.record = record;
    this.#worker = worker;
    void worker?.exited.then((exit) => this.#ended(exit));
  }

  get ownerAlive(): boolean {
    return isAlive(this.record.owner);
  }

  isOver(): boolean {
    if (this.#worker) return this.#exit !== undefined;
    if (this.directory.exitRecord()) return true;
    return !(this.record.supervisor ? isAlive(this.record.supervisor) : this.ownerAlive);
  }

  /** How far it is, without following it. */
  state(): RunState {
    if (!this.isOver()) return this.record.supervisor ? 'running' : 'queued';
    const outcome = [...this.#readToEnd()].findLast((update) => update.kind === 'outcome');
    return outcome?.outcome.state ?? 'lost';
  }

  story(): RunStory {
    const story = new RunStory();
    const tail = new EventTail(this.directory.events);
    try {
      for (const line of tail.read()) story.fold(line);
    } finally {
      tail.close();
    }
    return story;
  }

  async *follow(signal: AbortSignal): AsyncGenerator<RunUpdate> {
    signal.throwIfAborted();
    const adopted = this.#worker === undefined && this.isOver();
    const tail = new EventTail(this.directory.events);
    const changes = new FileSignal(this.directory.events);
    const wake = () => changes.wake();
    signal.addEventListener('abort', wake, { once: true });
    void this.#worker?.exited.then(wake);
    try {
      yield* followWorker(this.#followed(adopted), tail, changes, signal);
    } finally {
      signal.removeEventListener('abort', wake);
      changes.close();
      tail.close();
    }
  }

  /** Stops the run and waits until the supervisor has confirmed; then the last net. */
  async stop(reason: CancelReason): Promise<'stopped' | 'requested'> {
    const { supervisor, id } = this.record;
    if (!this.isOver()) {
      this.directory.rememberStop(reason);
      if (supervisor) sendSignal(supervisor.pid, 'SIGTERM');
      if (await this.#overWithin(CONFIRM_MS)) return this.#confirmed();
    }
    if (this.directory.exitRecord()) return this.#confirmed();
    if (supervisor && isAlive(supervisor)) sendSignal(-supervisor.pid, 'SIGKILL');
    const { found, left } = await endStrays(id, { graceMs: 0, group: supervisor?.pid });
    this.directory.removeSecrets();
    if (left !== 0) return 'requested';
    const stopped = { code: null, signal: 'SIGKILL', stopped: true, killed: found, left };
    this.directory.writeExitRecord(stopped);
    return 'stopped';
  }

  *#readToEnd(): Generator<RunUpdate> {
    yield* concludeRun(this.#endedRun(this.story(), true));
  }

  #followed(adopted: boolean): FollowedRun {
    return {
      isOver: () => this.isOver(),
      refuse: () => this.record.supervisor && sendSignal(this.record.supervisor.pid, 'SIGTERM'),
      ended: async (story) => {
        await this.#worker?.output.drained();
        return this.#endedRun(story, adopted);
      },
    };
  }

  #endedRun(story: RunStory, adopted: boolean): EndedRun {
    const { module, task, startedAt } = this.record;
    return {
      story,
      module,
      task,
      startedAt,
      adopted,
      endedAt: Date.now(),
      runDirectory: this.directory.path,
      stop: this.directory.stopReason(),
      record: this.directory.exitRecord(),
      runId: this.record.id,
      supervisorStatus: this.#exit?.code ?? undefined,
      secretsLeft: this.#secretsLeft,
    };
  }

  #ended(exit: SupervisorExit): void {
    this.#exit = exit;
    try {
      this.directory.removeSecrets();
    } catch (error) {
      this.#secretsLeft = error instanceof Error ? error.message : String(error);
    }
  }

  #confirmed(): 'stopped' | 'requested' {
    this.directory.removeSecrets();
    const record = this.directory.exitRecord();
    return record && record.left === 0 ? 'stopped' : 'requested';
  }

  async #overWithin(ms: number): Promise<boolean> {
    const end = Date.now() + ms;
    while (!this.isOver()) {
      if (Date.now() >= end) return false;
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    return this.directory.exitRecord() !== undefined;
  }
}
