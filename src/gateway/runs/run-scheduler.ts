import { asPlumblineError } from '#core/errors.ts';
import { auditedDecision, decideRun, denied, isPermission, keptDecision, type Permission } from './admission.ts';
import { closeRun, endRun } from './end-run.ts';
import { FairTurn } from './fair-turn.ts';
import { notStarted } from './own-outcomes.ts';
import { RunAttempt } from './run-attempt.ts';
import type { RunLimits } from './run-collaborators.ts';
import { isStoreUnavailable, persistently, type RunContext } from './run-context.ts';
import { auditedRun } from './run-journal.ts';
import type { StoredRun } from './run-row.ts';

/** After trouble with audit or store; without trouble nothing is done until somebody wakes it. */
const TRY_AGAIN_MS = 1_000;
const TAKE_UP_MS = 5_000;

/** Starts waiting runs in a fair order as far as the limits allow. It sleeps until it is woken. */
export class RunScheduler {
  readonly #context: RunContext;
  readonly #limits: RunLimits;
  readonly #turn = new FairTurn();
  readonly #attempts = new Map<string, RunAttempt>();
  /** Ended runs whose end is on its way into the audit. */
  readonly #trailing = new Map<string, Promise<void>>();
  /** Runs whose creation is being recorded by whoever creates them. */
  readonly #admitting = new Set<string>();
  readonly #recovering: Promise<boolean>[] = [];
  #woken = false;
  #working: Promise<void> | undefined;
  #problem: string | undefined;

  constructor(context: RunContext, limits: RunLimits) {
    this.#context = context;
    this.#limits = limits;
  }

  /** Why waiting runs cannot be started at the moment, beside the limits. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Attempts that go on, by role. */
  running(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const { run } of this.#attempts.values()) {
      const { role } = run.record.specification;
      counts.set(role, (counts.get(role) ?? 0) + 1);
    }
    return counts;
  }

  attemptOf(id: string): RunAttempt | undefined {
    return this.#attempts.get(id);
  }

  /** Something changed: a run waits, one has ended, the policy is another. */
  wake(): void {
    this.#woken = true;
    if (this.#context.closing.aborted) return;
    this.#working ??= this.#work().finally(() => {
      this.#working = undefined;
      if (this.#woken) this.wake();
    });
  }

  /** While it is under way its creation is recorded by its creator. */
  async admitting<T>(id: string, work: () => Promise<T>): Promise<T> {
    this.#admitting.add(id);
    try {
      return await work();
    } finally {
      this.#admitting.delete(id);
      this.wake();
    }
  }

  /** Takes over what an earlier process left, or what this one had lost sight of. */
  resume(run: StoredRun, goesOn = false): void {
    if (run.phase === 'ended') {
      this.close(run.record.id);
      return;
    }
    const attempt = new RunAttempt(this.#context, run, run.record.attempt);
    this.#recovering.push(attempt.begun);
    this.#attend(attempt, () => attempt.resume(goesOn));
  }

  /** Resolves when it is known what became of everything that was taken over. */
  async recovered(): Promise<void> {
    await Promise.all(this.#recovering);
    this.#recovering.length = 0;
  }

  /** Its end is stored; what the audit says of it may come a little later. */
  close(id: string): void {
    if (this.#trailing.has(id)) return;
    // What is not done when this process stops, the next one does.
    const settled = closeRun(this.#context, id)
      .catch(() => undefined)
      .finally(() => this.#trailing.delete(id));
    this.#trailing.set(id, settled);
  }

  /** Resolves when nothing is worked on any more; call it after `closing` has aborted. */
  async settled(): Promise<void> {
    await this.#working;
    await Promise.all([...this.#attempts.values()].map(({ over }) => over));
    await Promise.all(this.#trailing.values());
  }

  async #work(): Promise<void> {
    const { closing, clock, log } = this.#context;
    while (this.#woken && !closing.aborted) {
      this.#woken = false;
      try {
        await this.#round();
        this.#problem = undefined;
      } catch (thrown) {
        const { code, message } = asPlumblineError(thrown);
        if (this.#problem !== message) log('Waiting runs cannot be started', { code, why: message });
        this.#problem = message;
        this.#woken = true;
        await clock.sleep(TRY_AGAIN_MS, closing).catch(() => undefined);
      }
    }
  }

  async #round(): Promise<void> {
    await this.#queueAccepted();
    while (!this.#context.closing.aborted) {
      const heads = await this.#context.runs.queueHeads();
      const head = this.#turn.next(heads, this.running(), {
        total: this.#limits.runs,
        ofRole: (role) => this.#ofRole(role),
      });
      if (!head) return;
      this.#turn.taken(head, heads);
      const run = await this.#context.runs.find(head.id);
      if (run?.phase === 'queued') await this.#start(run);
    }
  }

  /** Whose creator did not get to say so: it died, or the audit could not be written. */
  async #queueAccepted(): Promise<void> {
    const { runs, journal } = this.#context;
    for (const { record } of await runs.unclosed(['accepted'])) {
      if (this.#admitting.has(record.id)) continue;
      await journal.intent('run.create.outcome', record.id, { ...auditedRun(record), result: 'queued' });
      await runs.queue(record.id);
    }
  }

  #ofRole(name: string): number {
    return this.#context.policy().roles.get(name)?.concurrency ?? 1;
  }

  async #start(run: StoredRun): Promise<void> {
    const { policy, clock, journal, launcher } = this.#context;
    const { record, caller } = run;
    if (!caller) throw new TypeError(`The waiting run ${record.id} has no caller.`);
    const now = clock.now();
    const decision = decideRun(policy(), caller, record.specification, now);
    const facts = { ...auditedRun(record), attempt: record.attempt + 1, ...auditedDecision(decision) };
    if (!isPermission(decision)) {
      await journal.intent('run.denied', record.id, { ...facts, reason: 'at-start', errorCode: 'ERR_RUN_DENIED' });
      const outcome = notStarted({ record, endedAt: now }, denied(record.specification, decision));
      if (await endRun(this.#context, record.id, outcome, 'waiting')) this.close(record.id);
      return;
    }
    await journal.intent('run.start.intent', record.id, { ...facts, isolation: launcher.isolation });
    await this.#launch(run, decision);
  }

  async #launch(run: StoredRun, permission: Permission): Promise<void> {
    const { record } = run;
    const startedAt = this.#context.clock.now();
    const { maxRuntimeMs } = permission.role;
    const deadlineAt = startedAt + Math.min(maxRuntimeMs, record.specification.timeoutMs ?? maxRuntimeMs);
    const number = record.attempt + 1;
    const attempt = new RunAttempt(this.#context, { ...run, record: { startedAt, ...record } }, number);
    // Known before it is stored: who cancels it from now on finds it.
    this.#attempts.set(record.id, attempt);
    try {
      const start = { attempt: number, startedAt, deadlineAt, decision: keptDecision(permission) };
      if (await this.#begun(record.id, start))
        return this.#attend(attempt, () => attempt.launch(permission, deadlineAt));
      this.#attempts.delete(record.id);
      await this.#context.journal.intent('run.start.outcome', record.id, { attempt: number, result: 'not-started' });
    } catch (thrown) {
      if (this.#attempts.get(record.id) === attempt) this.#attempts.delete(record.id);
      throw thrown;
    }
  }

  /** A commit may have happened though it was answered with an error: then nobody else would see to the run. */
  async #begun(id: string, start: Parameters<RunContext['runs']['begin']>[1]): Promise<boolean> {
    const { runs } = this.#context;
    try {
      return await runs.begin(id, start);
    } catch (thrown) {
      if (!isStoreUnavailable(thrown)) throw thrown;
      const now = await persistently(this.#context, () => runs.find(id));
      if (now?.phase === 'launching' && now.record.attempt === start.attempt) return true;
      throw thrown;
    }
  }

  #attend(attempt: RunAttempt, work: () => Promise<unknown>): void {
    const { id } = attempt.run.record;
    this.#attempts.set(id, attempt);
    void work();
    void attempt.over.then((end) => {
      if (end === 'left') return this.#takeUpAgain(id);
      this.#attempts.delete(id);
      if (end === 'ended') this.close(id);
      this.wake();
      return undefined;
    });
  }

  /** After an error that nobody foresaw: its worker may go on, so it keeps its place and is taken over as after a restart. */
  async #takeUpAgain(id: string): Promise<void> {
    const { runs, clock, closing } = this.#context;
    try {
      await clock.sleep(TAKE_UP_MS, closing);
      const run = await persistently(this.#context, () => runs.find(id));
      const goesOn = this.#attempts.get(id)?.worker !== undefined;
      this.#attempts.delete(id);
      if (run?.phase === 'launching' || run?.phase === 'running' || run?.phase === 'ended') this.resume(run, goesOn);
      this.wake();
    } catch {
      // This process stops.
    }
  }
}
