import type { RunUpdate } from '#core/run.ts';
import type { CancelReason } from '#engines/engine.ts';
import { EventTail } from '#engines/luigi/event-tail.ts';
import type { ExitRecord } from '#engines/luigi/exit-record.ts';
import { FileSignal } from '#engines/luigi/file-signal.ts';
import { followWorker } from '#engines/luigi/follow-worker.ts';
import type { EndedRun } from '#engines/luigi/outcome.ts';
import { isAlive, sendSignal } from '#engines/luigi/process-identity.ts';
import type { RunStory } from '#engines/luigi/run-story.ts';
import { endStrays } from '#engines/luigi/stray-processes.ts';
import type { AttemptFolder } from './attempt-folder.ts';
import { type AttemptEnd, type AttemptRecord, type AttemptStore, nameOf } from './attempt-store.ts';
import { bootId } from './boot-id.ts';
import { endDescendants } from './end-descendants.ts';
import type { LaunchSettings } from './launch-settings.ts';

/** From the end of the grace until the supervisor must have confirmed. */
const CONFIRM_MS = 1_500;
const LOOK_EVERY_MS = 20;

/** One attempt as it can be seen from here: by the gateway's own record, by its processes, and by what its worker wrote. */
export class Attempt {
  readonly name: string;
  readonly record: AttemptRecord;
  readonly folder: AttemptFolder;
  readonly #store: AttemptStore;
  readonly #settings: LaunchSettings;
  /** What a full disk did not take. */
  #unwrittenStop: CancelReason | undefined;
  #unwrittenEnd: AttemptEnd | undefined;
  #settling: Promise<AttemptEnd> | undefined;
  #ending: Promise<void> | undefined;
  readonly #watchers = new Set<() => void>();

  constructor(store: AttemptStore, folder: AttemptFolder, record: AttemptRecord, settings: LaunchSettings) {
    this.name = nameOf(record.runId, record.attempt);
    this.record = record;
    this.folder = folder;
    this.#store = store;
    this.#settings = settings;
  }

  /** No supervisor goes any more. What it wrote before is there. */
  isOver(): boolean {
    const { supervisor, boot } = this.record;
    return supervisor === undefined || boot !== bootId() || !isAlive(supervisor);
  }

  end(): AttemptEnd | undefined {
    return this.#store.end(this.name) ?? this.#unwrittenEnd;
  }

  /** Tells whoever follows that something may have changed. */
  wake(): void {
    for (const wake of this.#watchers) wake();
  }

  async *follow(signal: AbortSignal): AsyncGenerator<RunUpdate> {
    signal.throwIfAborted();
    const descriptor = this.folder.openEvents();
    const tail = descriptor === undefined ? undefined : new EventTail(descriptor, this.#settings.limits.eventMaxBytes);
    const changes = new FileSignal(this.folder.events);
    const wake = () => changes.wake();
    signal.addEventListener('abort', wake, { once: true });
    this.#watchers.add(wake);
    const run = { isOver: () => this.isOver(), refuse: () => this.#refuse(), ended: this.#endedRun };
    try {
      yield* followWorker(run, tail, changes, signal);
    } finally {
      this.#watchers.delete(wake);
      signal.removeEventListener('abort', wake);
      changes.close();
      tail?.close();
    }
  }

  /** Stops the run and waits until nothing of it is left. */
  async stop(reason: CancelReason): Promise<'stopped' | 'requested'> {
    if (!this.isOver()) {
      await this.#rememberStop(reason);
      await this.endSupervisor();
    }
    const { left } = await this.settle();
    return left === 0 ? 'stopped' : 'requested';
  }

  /** Once, however many ask. The supervisor ends all that it has below it; one that does not is ended with all of that. */
  endSupervisor(): Promise<void> {
    this.#ending ??= this.#endSupervisor().finally(() => {
      this.#ending = undefined;
    });
    return this.#ending;
  }

  /** To be called when it is over: finds out how, ends what may be left, and writes it down once and for all. */
  settle(): Promise<AttemptEnd> {
    this.#settling ??= this.#settle().finally(() => {
      this.#settling = undefined;
    });
    return this.#settling;
  }

  async #endSupervisor(): Promise<void> {
    const { supervisor } = this.record;
    if (!supervisor || this.isOver()) return;
    sendSignal(supervisor.pid, 'SIGTERM');
    if (await this.#overWithin(this.#settings.limits.graceMs + CONFIRM_MS)) return;
    this.#settings.log.warn({ attempt: this.name }, 'A supervisor does not end its run; it is killed');
    if (!this.isOver()) await endDescendants(supervisor, this.record.user?.uid);
    await this.#overWithin(CONFIRM_MS);
  }

  async #settle(): Promise<AttemptEnd> {
    const known = this.end();
    if (known) return known;
    const end = await this.#find();
    await this.folder.removeSecrets();
    await this.#removeIdentities();
    try {
      await this.#store.writeEnd(this.name, end);
    } catch (error) {
      this.#unwrittenEnd = end;
      this.#warn('The end of a run could not be written down', error);
    }
    return end;
  }

  /** What stays is over within minutes; a worker that makes its removal impossible has only itself to lose. */
  async #removeIdentities(): Promise<void> {
    try {
      if (!(await this.folder.removeIdentities())) throw new Error('its folder is still there');
    } catch (error) {
      this.#warn("What a worker left of its tasks' tokens could not be removed", error);
    }
  }

  /** A full disk keeps nobody from stopping a run. */
  async #rememberStop(reason: CancelReason): Promise<void> {
    if (this.#stopReason() !== undefined) return;
    try {
      await this.#store.rememberStop(this.name, reason);
    } catch (error) {
      this.#unwrittenStop = reason;
      this.#warn('The reason to stop a run could not be written down', error);
    }
  }

  #stopReason(): CancelReason | undefined {
    return this.#store.stopReason(this.name) ?? this.#unwrittenStop;
  }

  #warn(message: string, error: unknown): void {
    const why = error instanceof Error ? error.message : String(error);
    this.#settings.log.warn({ attempt: this.name, why }, message);
  }

  async #find(): Promise<AttemptEnd> {
    const now = this.#settings.clock.now();
    const isStopped = this.#stopReason() !== undefined;
    if (!this.folder.hasBegun() && (await this.folder.revoke())) {
      return { at: now, neverStarted: true, left: 0, ...(isStopped && { exit: ENDED_UNBEGUN }) };
    }
    const exit = this.folder.exitRecord();
    const at = within(exit?.at, this.record.startedAt, now);
    if (exit?.left === 0) return { at, exit, left: 0 };
    // Nobody vouches that nothing is left: what may come next must not go beside it.
    const { found, left = 0 } = await endStrays(this.name, { graceMs: 0, uid: this.record.user?.uid });
    this.#settings.log.warn({ attempt: this.name, found, left }, 'A supervisor left no word that all has ended');
    if (exit) return { at, left, exit: { ...exit, left } };
    return { at, left, ...(isStopped && { exit: { ...KILLED, killed: found, left } }) };
  }

  readonly #endedRun = async (story: RunStory): Promise<EndedRun> => {
    const { module, task, startedAt, runId, attempt } = this.record;
    const { at, exit } = await this.settle();
    return {
      story,
      module,
      task,
      startedAt,
      endedAt: at,
      adopted: false,
      runDirectory: `the folder of attempt ${attempt} of run ${runId}`,
      stop: this.#stopReason() ?? (exit?.stopped && exit.deadline ? 'deadline' : undefined),
      record: exit,
      runId: this.name,
      supervisorStatus: undefined,
    };
  };

  #refuse(): void {
    if (this.#ending !== undefined) return;
    this.#settings.log.warn({ attempt: this.name }, 'The events of a worker cannot be read on; it is ended');
    void this.endSupervisor();
  }

  async #overWithin(ms: number): Promise<boolean> {
    const end = performance.now() + ms;
    while (!this.isOver()) {
      if (performance.now() >= end) return false;
      await this.#settings.clock.sleep(LOOK_EVERY_MS);
    }
    return true;
  }
}

const KILLED = { code: null, signal: 'SIGKILL', stopped: true } as const satisfies Partial<ExitRecord>;
const ENDED_UNBEGUN: ExitRecord = { code: null, signal: null, stopped: true, killed: 0, left: 0 };

/** The worker's user could have written any time. */
function within(at: number | undefined, from: number, to: number): number {
  return at === undefined ? to : Math.min(Math.max(at, from), Math.max(from, to));
}
