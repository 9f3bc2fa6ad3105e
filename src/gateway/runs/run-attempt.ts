import { asPlumblineError } from '#core/errors.ts';
import type { RunOutcome, TaskRecord } from '#core/run.ts';
import type { CancelReason } from '#engines/engine.ts';
import { atDeadline } from '#run/deadline.ts';
import { stoppedOutcome } from '#run/stopped-outcome.ts';
import type { Worker } from '../workers/worker.ts';
import type { Permission } from './admission.ts';
import { AttemptFollower } from './attempt-follower.ts';
import { endRun } from './end-run.ts';
import { notStarted, stoppedBeforeStart } from './own-outcomes.ts';
import { prepareLaunch } from './prepare-launch.ts';
import { persistently, type RunContext } from './run-context.ts';
import { isAuditUnavailable } from './run-journal.ts';
import type { StoredRun } from './run-row.ts';
import { workerOf } from './worker-of.ts';

/**
 * What an attempt leaves behind. `ended`: an outcome. `queued`: the run waits again. `left`: this process stops, or an error
 * that it does not know has ended its following; the run is as the store has it.
 */
export type AttemptEnd = 'ended' | 'queued' | 'left';

const STOP_RETRY_MS = 1_000;
/** How long the outcome of a run that is being stopped waits for the answer to the stopping. */
const ANSWER_WITHIN_MS = 5_000;

/** One attempt of a run, from its preparation to its outcome. It never rejects and never starts a second worker. */
export class RunAttempt {
  readonly run: StoredRun;
  readonly attempt: number;
  readonly #context: RunContext;
  readonly #follower: AttemptFollower;
  readonly #preparing = new AbortController();
  readonly #begun = deferred<boolean>();
  readonly #over = deferred<AttemptEnd>();
  #reason: CancelReason | undefined;
  #answer: 'stopped' | 'requested' = 'requested';
  #stopping: Promise<void> | undefined;
  #runningAtStop: readonly TaskRecord[] = [];
  #disarm = () => {};
  /** A worker of it may go on, as far as is known. */
  #goesOn = false;
  readonly #worker: Worker | undefined;

  constructor(context: RunContext, run: StoredRun, attempt: number) {
    this.#context = context;
    this.run = run;
    this.attempt = attempt;
    this.#worker = workerOf(run, attempt);
    this.#follower = new AttemptFollower(context, run, attempt);
  }

  /** Whether a worker was started, by this process or the one before; known when it is. */
  get begun(): Promise<boolean> {
    return this.#begun.promise;
  }

  get over(): Promise<AttemptEnd> {
    return this.#over.promise;
  }

  /** Who it is towards this gateway; `undefined` as soon as it is to stop or has ended. */
  get worker(): Worker | undefined {
    const isStopping = this.#reason !== undefined || this.run.record.stopRequested !== undefined;
    return this.#goesOn && !isStopping ? this.#worker : undefined;
  }

  /** Prepares and starts the worker, and follows it to its end. Its intent is on record and the run is `launching`. */
  launch({ role }: Permission, deadlineAt: number): Promise<AttemptEnd> {
    return this.#conclude(async () => {
      this.#arm(deadlineAt);
      // Its worker may ask for something before its start is answered.
      this.#goesOn = true;
      const failed = await this.#started(role, deadlineAt);
      this.#begun.resolve(failed === undefined);
      if (failed) return failed;
      return this.#toTheEnd();
    });
  }

  /**
   * Takes over what an earlier process started.
   * @param goesOn nobody has seen its worker end: it stays one while this is being found out
   */
  resume(goesOn = false): Promise<AttemptEnd> {
    this.#goesOn = goesOn;
    return this.#conclude(async () => {
      this.#arm(this.run.deadlineAt);
      const { stopRequested } = this.run.record;
      const found = await this.#follower.recover();
      if (found === 'neverStarted') return this.#neverStarted();
      this.#goesOn = found === 'alive';
      this.#begun.resolve(true);
      if (stopRequested) void this.stop(stopRequested);
      return this.#toTheEnd();
    });
  }

  /** It is to be stopped, which may take its time: from now on its worker is nobody towards this gateway. */
  disown(reason: CancelReason): void {
    this.#reason ??= reason;
  }

  /** Asks it to stop, once; resolves when the launcher has answered, or when it is over. Never rejects. */
  stop(reason: CancelReason): Promise<void> {
    this.disown(reason);
    this.#stopping ??= this.#stop(this.#reason ?? reason).catch((thrown) =>
      this.#trouble('A run could not be stopped', thrown),
    );
    return this.#stopping;
  }

  async #conclude(work: () => Promise<AttemptEnd>): Promise<AttemptEnd> {
    let end: AttemptEnd = 'left';
    try {
      end = await work();
    } catch (thrown) {
      if (!this.#context.closing.aborted) this.#trouble('A run is no longer followed', thrown);
    } finally {
      this.#disarm();
      this.#begun.resolve(false);
      this.#over.resolve(end);
    }
    return end;
  }

  /** `undefined` when the worker was started. */
  async #started(role: Permission['role'], deadlineAt: number): Promise<AttemptEnd | undefined> {
    const { launcher, closing, journal, clock } = this.#context;
    const { id } = this.run.record;
    try {
      const signal = AbortSignal.any([this.#preparing.signal, closing]);
      const launch = await prepareLaunch(this.#context, this.run, role, this.attempt, signal);
      signal.throwIfAborted();
      // The worker keeps the deadline too: it holds while this process is away.
      await launcher.start({ ...launch, maxRuntimeMs: Math.max(1, deadlineAt - clock.now()) });
    } catch (thrown) {
      closing.throwIfAborted();
      return this.#notStarted(thrown);
    }
    const record = { role: role.name, attempt: this.attempt, isolation: launcher.isolation, result: 'ok' } as const;
    journal.record('run.start.outcome', id, record).catch(() => undefined);
    await persistently(this.#context, () => this.#context.runs.launched(id, this.attempt));
    return undefined;
  }

  async #notStarted(thrown: unknown): Promise<AttemptEnd> {
    this.#goesOn = false;
    const { journal, clock } = this.#context;
    const { record } = this.run;
    const attempt = this.attempt;
    // No record of the reading of a secret, no reading: it waits until there can be one.
    if (isAuditUnavailable(thrown) && !this.#reason) return this.#follower.requeue(false);
    const error = asPlumblineError(thrown);
    const errorCode = this.#reason ? undefined : error.code;
    await journal.record('run.start.outcome', record.id, { attempt, result: this.#reason ?? 'failed', errorCode });
    const end = { record, endedAt: clock.now() };
    return this.#end(this.#reason ? stoppedBeforeStart(end, this.#reason) : notStarted(end, error));
  }

  async #neverStarted(): Promise<AttemptEnd> {
    const reason = this.#reason ?? this.run.record.stopRequested;
    if (!reason) return this.#follower.requeue(false);
    return this.#end(stoppedBeforeStart({ record: this.run.record, endedAt: this.#context.clock.now() }, reason));
  }

  async #toTheEnd(): Promise<AttemptEnd> {
    const outcome = await this.#follower.outcome();
    this.#goesOn = false;
    if (outcome === 'neverStarted') return this.#neverStarted();
    if (!this.#reason && (await this.#follower.mayTryAgain(outcome))) return this.#follower.requeue(true);
    if (outcome.state === 'lost') await this.#follower.tellLost('ended');
    return this.#end(this.#reason ? await this.#stopped(outcome, this.#reason) : outcome);
  }

  /** That we stopped it is remembered, whatever the worker made of it. */
  async #stopped(outcome: RunOutcome, reason: CancelReason): Promise<RunOutcome> {
    const patience = new AbortController();
    const waited = this.#context.clock.sleep(ANSWER_WITHIN_MS, patience.signal).catch(() => undefined);
    await Promise.race([this.stop(reason), waited]);
    patience.abort();
    return stoppedOutcome(outcome, { reason, answer: this.#answer }, this.#runningAtStop);
  }

  async #end(outcome: RunOutcome): Promise<AttemptEnd> {
    await endRun(this.#context, this.run.record.id, outcome, { attempt: this.attempt });
    return 'ended';
  }

  #arm(deadlineAt: number | undefined): void {
    if (deadlineAt === undefined) return;
    const left = Math.max(0, deadlineAt - this.#context.clock.now());
    this.#disarm = atDeadline(left, () => void this.#atDeadline());
  }

  async #atDeadline(): Promise<void> {
    const { journal } = this.#context;
    this.disown('deadline');
    const { id } = this.run.record;
    const record = { attempt: this.attempt, reason: 'deadline' };
    try {
      await journal.record('run.cancel.intent', id, record);
      await this.stop('deadline');
      await journal.record('run.cancel.outcome', id, { ...record, result: this.#answer });
    } catch {
      // Only a journal that is closed rejects: the next process stops it.
    }
  }

  async #stop(reason: CancelReason): Promise<void> {
    const { runs, launcher, clock, closing } = this.#context;
    const { id } = this.run.record;
    this.#runningAtStop = this.#follower.running();
    await persistently(this.#context, () => runs.requestStop(id, reason));
    this.#preparing.abort();
    const over = this.over.then(() => 'over' as const);
    if ((await Promise.race([this.#begun.promise, over])) !== true) return;
    for (;;) {
      try {
        this.#answer = await launcher.stop(id, this.attempt, reason);
        if (this.#answer === 'stopped') return;
      } catch (thrown) {
        this.#trouble('A run could not be stopped; it is tried again', thrown);
      }
      if ((await Promise.race([clock.sleep(STOP_RETRY_MS, closing), over])) === 'over') return;
    }
  }

  #trouble(message: string, thrown: unknown): void {
    const { code, message: why } = asPlumblineError(thrown);
    this.#context.log(message, { run: this.run.record.id, attempt: this.attempt, code, why });
  }
}

interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
}

function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
