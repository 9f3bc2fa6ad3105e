import { closeSync } from 'node:fs';
import { type Clock, systemClock } from '#core/clock.ts';
import { asPlumblineError, PlumblineError } from '#core/errors.ts';
import type { RunUpdate } from '#core/run.ts';
import type { CancelReason } from '#engines/engine.ts';
import { FileSignal } from '#engines/luigi/file-signal.ts';
import { endStrays } from '#engines/luigi/stray-processes.ts';
import { workerRequest } from '#engines/luigi/worker-request.ts';
import { Attempt } from './attempt.ts';
import { AttemptFolder } from './attempt-folder.ts';
import { type AttemptRecord, AttemptStore, nameOf } from './attempt-store.ts';
import { bootId } from './boot-id.ts';
import { gatewayAccess, gatewaySecrets } from './gateway-access.ts';
import { DEFAULT_LIMITS, type LaunchLimits, type LaunchLog, type LaunchSettings } from './launch-settings.ts';
import type { Launch, Launcher, OutputPart, OutputRange, Recovered } from './launcher.ts';
import { type Supervisor, startSupervisor } from './start-supervisor.ts';
import { requireUsers } from './switching-users.ts';
import type { UnixUser } from './unix-user.ts';
import { workerEnvironment } from './worker-environment.ts';
import type { WorkerSockets } from './worker-sockets.ts';
import { workerUser } from './worker-user.ts';

export interface LocalLauncherOptions {
  /** A folder of the gateway's own (0711), beside its state and not in it; one folder below it for each attempt. */
  readonly runsDirectory: string;
  /** Folder of the Python package plumbline_luigi; every worker's user must be able to read it. */
  readonly workerPath: string;
  /** `user`: each role's workers run as its Unix user. `none`: all run as the gateway's. */
  readonly isolation: 'user' | 'none';
  /** Absent: workers ask the gateway for nothing. */
  readonly sockets?: WorkerSockets | undefined;
  readonly log: LaunchLog;
  readonly clock?: Clock | undefined;
  readonly limits?: Partial<LaunchLimits> | undefined;
}

const UMASK = 0o022;
const PART_BYTES = 4 * 1024 * 1024;
const NO_OUTPUT = { bytes: new Uint8Array(), total: 0 };

/**
 * Workers as processes of this machine, under supervisors that live on when the gateway ends.
 * @throws {PlumblineError} `ERR_ISOLATION_UNAVAILABLE` when this process cannot run them as other users, or when the runs directory
 * is not safe
 */
export async function localLauncher(options: LocalLauncherOptions): Promise<Launcher> {
  if (options.isolation === 'user') requireUsers();
  return new LocalLauncher(options, await AttemptStore.open(options.runsDirectory));
}

class LocalLauncher implements Launcher {
  readonly isolation: 'user' | 'none';
  readonly #options: LocalLauncherOptions;
  readonly #settings: LaunchSettings;
  readonly #store: AttemptStore;
  /** Attempts that this process has looked at and that are still there. */
  readonly #attempts = new Map<string, Attempt>();
  readonly #starting = new Set<string>();

  constructor(options: LocalLauncherOptions, store: AttemptStore) {
    this.isolation = options.isolation;
    this.#options = options;
    this.#store = store;
    const { clock = systemClock, log, limits } = options;
    this.#settings = { clock, log, limits: { ...DEFAULT_LIMITS, ...limits } };
  }

  async start(launch: Launch): Promise<void> {
    const name = nameOf(launch.runId, launch.attempt);
    if (this.#starting.has(name)) throw new TypeError(`The attempt ${name} is being started.`);
    const user = await workerUser(launch.unixUser, this.isolation);
    const { runId, attempt, module, task, gateway } = launch;
    const socket = gateway && (await this.#socketOf(user));
    const startedAt = this.#settings.clock.now();
    const record = { runId, attempt, module, task, startedAt, user, boot: bootId() };
    this.#starting.add(name);
    try {
      await this.#store.create(record);
      await this.#begin(launch, record, socket);
    } finally {
      this.#starting.delete(name);
    }
  }

  async recover(runId: string, attempt: number): Promise<Recovered> {
    const name = nameOf(runId, attempt);
    if (this.#starting.has(name)) return 'alive';
    const found = this.#find(name);
    if (!found) return this.#withoutRecord(name);
    if (!found.isOver()) {
      // One that stands before its claim must not begin later: either it has the claim now, or nobody gets it.
      if (found.folder.hasBegun() || !(await found.folder.revoke())) return this.#takenOver(found);
      await found.endSupervisor();
    }
    const { exit, neverStarted } = await found.settle();
    return neverStarted ? 'neverStarted' : exit ? 'ended' : 'lost';
  }

  uidOf(runId: string, attempt: number): number | undefined {
    const found = this.#find(nameOf(runId, attempt));
    return found && (found.record.user?.uid ?? process.geteuid?.());
  }

  follow(runId: string, attempt: number, signal: AbortSignal): AsyncIterable<RunUpdate> {
    return this.#attempt(runId, attempt).follow(signal);
  }

  async stop(runId: string, attempt: number, reason: CancelReason): Promise<'stopped' | 'requested'> {
    const found = this.#attempt(runId, attempt);
    const answer = await found.stop(reason);
    found.wake();
    return answer;
  }

  async output(runId: string, attempt: number, { start, end }: OutputRange): Promise<OutputPart> {
    const found = this.#attempt(runId, attempt);
    const to = Math.min(end ?? Number.POSITIVE_INFINITY, start + PART_BYTES);
    const { bytes, total } = found.folder.readOutput({ start, end: to }) ?? NO_OUTPUT;
    const droppedBytes = (found.end()?.exit ?? found.folder.exitRecord())?.dropped ?? 0;
    return { bytes, total, droppedBytes };
  }

  async remove(runId: string, attempt: number): Promise<void> {
    const name = nameOf(runId, attempt);
    const found = this.#find(name);
    if (!found) return;
    if (!found.end()) throw new TypeError(`The attempt ${name} has not ended.`);
    await found.folder.remove();
    await this.#store.remove(name);
    this.#attempts.delete(name);
  }

  /**
   * Without a record no request was ever sent, and whoever would have sent it is gone: if the records are still what they were. If
   * they are not, what carries the attempt's mark is ended, and it is lost.
   */
  async #withoutRecord(name: string): Promise<Recovered> {
    const { found } = await endStrays(name, { graceMs: 0 });
    return found > 0 || this.#store.has(name) ? 'lost' : 'neverStarted';
  }

  #socketOf(user: UnixUser | undefined): Promise<string> {
    const { sockets } = this.#options;
    if (sockets) return sockets.pathFor(user);
    throw new TypeError('A worker is to ask a gateway that it cannot reach');
  }

  /** Its worker finds the gateway where the earlier process was. */
  async #takenOver({ name: attempt, record }: Attempt): Promise<'alive'> {
    const why = await this.#options.sockets?.pathFor(record.user).then(undefined, asPlumblineError);
    if (why instanceof PlumblineError)
      this.#settings.log.warn({ attempt, why: why.message }, 'A worker that was taken over cannot reach the gateway');
    return 'alive';
  }

  async #begin(launch: Launch, prepared: AttemptRecord, socket: string | undefined): Promise<void> {
    const folder = this.#folder(prepared);
    let attempt = this.#remember(folder, prepared);
    try {
      const supervisor = await this.#spawn(launch, folder, prepared);
      const record = { ...prepared, supervisor: supervisor.identity };
      attempt = this.#remember(folder, record);
      // Before the request is sent: from now on this process may end at any moment, and the run is found again.
      await this.#store.remember(record);
      void supervisor.exited.then(() => this.#attempts.get(attempt.name)?.wake());
      this.#settings.log.info(
        { attempt: attempt.name, pid: supervisor.identity.pid },
        'A supervisor waits for its run',
      );
      supervisor.send(this.#request(launch, folder, socket));
      await this.#untilBegun(attempt, supervisor);
    } catch (error) {
      if (await this.#isGoing(attempt)) return;
      throw error;
    }
  }

  /** After an error: nothing may begin later. Whether it began in spite of it. */
  async #isGoing(attempt: Attempt): Promise<boolean> {
    if (attempt.folder.hasBegun() || !(await attempt.folder.revoke())) return true;
    await attempt.endSupervisor();
    await attempt.settle();
    return false;
  }

  async #spawn(launch: Launch, folder: AttemptFolder, { user }: AttemptRecord): Promise<Supervisor> {
    const files = await folder.writeSecrets(launch.secretFiles);
    const output = await folder.make();
    try {
      const name = nameOf(launch.runId, launch.attempt);
      const environment = workerEnvironment(launch, folder, { name, user, files });
      this.#settings.log.info({ attempt: name }, 'An attempt is prepared');
      return await startSupervisor({
        python: launch.python.path,
        workerPath: this.#options.workerPath,
        workingDirectory: launch.workingDirectory,
        user,
        environment,
        output,
      });
    } finally {
      closeSync(output);
    }
  }

  #request(launch: Launch, folder: AttemptFolder, socket: string | undefined): object {
    const { outputMaxBytes, graceMs } = this.#settings.limits;
    const { maxRuntimeMs, gateway } = launch;
    const place = {
      runId: nameOf(launch.runId, launch.attempt),
      parentPid: null,
      eventsFile: folder.events,
      exitFile: folder.exit,
      claimFile: folder.claim,
      outputFile: folder.output,
      outputMaxBytes,
      endAll: true,
      graceMs,
      umask: UMASK,
      ...(maxRuntimeMs !== undefined && { deadlineSeconds: maxRuntimeMs / 1_000 }),
      ...(gateway !== undefined && socket !== undefined && { gateway: gatewayAccess(gateway, socket) }),
    };
    const secrets = [launch.secretVariables, launch.secretFiles].flatMap((group) => Object.values(group));
    return workerRequest(launch, place, [...secrets, ...gatewaySecrets(gateway)]);
  }

  async #untilBegun(attempt: Attempt, supervisor: Supervisor): Promise<void> {
    const changes = new FileSignal(attempt.folder.path);
    let status: number | null | undefined;
    void supervisor.exited.then((code) => {
      status = code;
      changes.wake();
    });
    const end = performance.now() + this.#settings.limits.startMs;
    try {
      while (!attempt.folder.hasBegun()) {
        if (status !== undefined) throw unbegun(attempt, endedBefore(status), UNUSABLE.has(status ?? 0));
        if (performance.now() > end) throw unbegun(attempt, 'its process did not begin in time');
        await changes.wait();
      }
    } finally {
      changes.close();
    }
  }

  #attempt(runId: string, attempt: number): Attempt {
    const found = this.#find(nameOf(runId, attempt));
    if (found) return found;
    throw new PlumblineError(
      'ERR_RUN_LOST',
      `Attempt ${attempt} of run ${runId} cannot be found: nothing is kept of it`,
    );
  }

  #find(name: string): Attempt | undefined {
    const known = this.#attempts.get(name);
    if (known) return known;
    const record = this.#store.read(name);
    return record && this.#remember(this.#folder(record), record);
  }

  #remember(folder: AttemptFolder, record: AttemptRecord): Attempt {
    const attempt = new Attempt(this.#store, folder, record, this.#settings);
    this.#attempts.set(attempt.name, attempt);
    return attempt;
  }

  #folder({ runId, attempt, user }: AttemptRecord): AttemptFolder {
    return new AttemptFolder(this.#options.runsDirectory, nameOf(runId, attempt), user);
  }
}

/** Of setpriv, as of a shell: the program cannot be executed by this user, or is not there. */
const UNUSABLE: ReadonlySet<number> = new Set([126, 127]);

function endedBefore(status: number | null): string {
  return `its process ended ${status === null ? 'by a signal' : `with status ${status}`}`;
}

function unbegun({ record }: Attempt, why: string, isUnusable = false): PlumblineError {
  const message = `Attempt ${record.attempt} of run ${record.runId} did not begin: ${why}`;
  return new PlumblineError(isUnusable ? 'ERR_PYTHON_NOT_FOUND' : 'ERR_RUN_DIED', message, {
    remedy:
      'See the output of the run, and whether the Unix user of the role may use its Python and the worker module.',
  });
}
