import { asPlumblineError } from '#core/errors.ts';
import type { RunOutcome, RunUpdate, TaskRecord } from '#core/run.ts';
import type { Recovered } from '../launch/launcher.ts';
import { lostRun } from './own-outcomes.ts';
import { persistently, type RunContext } from './run-context.ts';
import type { StoredRun } from './run-row.ts';
import { UpdateWriter } from './update-writer.ts';

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;
/** After so many failures in a row a run that is over is lost: nobody can say how it ended. */
const MOST_FAILURES = 8;

/** Follows the worker of one attempt: stores what it tells and gives its outcome. */
export class AttemptFollower {
  readonly #context: RunContext;
  readonly #run: StoredRun;
  readonly #attempt: number;
  readonly #tasks = new Map<string, TaskRecord>();
  /** Of what the launcher tells, from 1: the last that was read. */
  #furthest = 0;

  constructor(context: RunContext, run: StoredRun, attempt: number) {
    this.#context = context;
    this.#run = run;
    this.#attempt = attempt;
  }

  /** Tasks that run, as far as the worker has told. */
  running(): readonly TaskRecord[] {
    return [...this.#tasks.values()].filter(({ state }) => state === 'running');
  }

  /** What an earlier process left; an adoption is on record before anything is done with it. */
  async recover(): Promise<Recovered> {
    const found = await this.#ask();
    const { journal, launcher, runs } = this.#context;
    const { id } = this.#run.record;
    if (found === 'alive') {
      const { isolation } = launcher;
      await journal.record('run.adopted', id, { role: this.#role, attempt: this.#attempt, isolation });
    }
    if (found !== 'neverStarted') await persistently(this.#context, () => runs.launched(id, this.#attempt));
    return found;
  }

  /** Follows it to its end, also through trouble with its files. Rejects only when this process stops. */
  async outcome(): Promise<RunOutcome | 'neverStarted'> {
    for (let failures = 0; ; ) {
      const before = this.#furthest;
      try {
        return await this.#followed();
      } catch (thrown) {
        this.#context.closing.throwIfAborted();
        failures = this.#furthest > before ? 1 : failures + 1;
        const end = await this.#afterTrouble(thrown, failures);
        if (end) return end;
      }
    }
  }

  /** Puts the run back into the queue; what it was is on record. */
  async requeue(lost: boolean): Promise<'queued'> {
    const { runs, hub, clock } = this.#context;
    const { id } = this.#run.record;
    await this.tellLost('queued', lost ? 'worker-lost' : 'never-started');
    const at = clock.now();
    const stored = await persistently(this.#context, () => runs.requeue(id, this.#attempt, { lost, at }));
    if (stored.length > 0) hub.publish(id, stored);
    else hub.changed(id);
    return 'queued';
  }

  async tellLost(result: 'queued' | 'ended', reason = 'worker-lost'): Promise<void> {
    const data = { role: this.#role, attempt: this.#attempt, reason, result };
    await this.#context.journal.record('run.lost', this.#run.record.id, data);
  }

  /**
   * Whether a further attempt is due: the worker's process or the machine was lost, the role allows it, and nothing of the
   * lost attempt is left that could go on beside the next.
   */
  async mayTryAgain(outcome: RunOutcome): Promise<boolean> {
    const attempts = this.#context.policy().roles.get(this.#role)?.attempts ?? 1;
    if (!isLoss(outcome) || this.#run.lostAttempts + 1 >= attempts) return false;
    try {
      const { id } = this.#run.record;
      return (await this.#context.launcher.stop(id, this.#attempt, 'cancelled')) === 'stopped';
    } catch (thrown) {
      this.#trouble('What is left of a lost worker could not be ended', thrown);
      return false;
    }
  }

  get #role(): string {
    return this.#run.record.specification.role;
  }

  async #followed(): Promise<RunOutcome> {
    const { launcher, closing } = this.#context;
    const { id } = this.#run.record;
    const writer = new UpdateWriter(this.#context, id, this.#attempt);
    let ordinal = 0;
    for await (const update of launcher.follow(id, this.#attempt, closing)) {
      ordinal += 1;
      this.#furthest = Math.max(this.#furthest, ordinal);
      if (update.kind === 'outcome') {
        await writer.flushed();
        return update.outcome;
      }
      if (update.kind !== 'state') this.#tasks.set(update.task.id, update.task);
      // How it ended is for us to say: a further attempt may follow, or we stopped it.
      if (isEnd(update)) continue;
      if (ordinal > this.#told) await writer.add({ ordinal, update });
    }
    throw new TypeError(`The launcher told no outcome of attempt ${this.#attempt} of the run ${id}.`);
  }

  get #told(): number {
    return this.#run.record.attempt === this.#attempt ? this.#run.told : 0;
  }

  async #afterTrouble(thrown: unknown, failures: number): Promise<RunOutcome | 'neverStarted' | undefined> {
    this.#trouble('A run could not be followed; it is tried again', thrown);
    const { clock, closing } = this.#context;
    await clock.sleep(Math.min(FIRST_PAUSE_MS * 2 ** failures, LONGEST_PAUSE_MS), closing);
    const found = await this.#ask();
    if (found === 'neverStarted') return found;
    const given = found === 'lost' ? failures > 1 : found === 'ended' && failures >= MOST_FAILURES;
    if (!given) return undefined;
    const end = { record: this.#run.record, endedAt: clock.now() };
    return lostRun(end, `its worker is gone and its records cannot be read (${asPlumblineError(thrown).message})`);
  }

  async #ask(): Promise<Recovered> {
    const { launcher, clock, closing } = this.#context;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      closing.throwIfAborted();
      try {
        return await launcher.recover(this.#run.record.id, this.#attempt);
      } catch (thrown) {
        this.#trouble('What became of a run could not be found out; it is tried again', thrown);
        await clock.sleep(pause, closing);
      }
    }
  }

  #trouble(message: string, thrown: unknown): void {
    const { code, message: why } = asPlumblineError(thrown);
    this.#context.log(message, { run: this.#run.record.id, attempt: this.#attempt, code, why });
  }
}

function isEnd(update: RunUpdate): boolean {
  return update.kind === 'state' && update.state !== 'running' && update.state !== 'queued';
}

/** The loss of the worker itself, not the failure of a task. */
function isLoss({ state, findings }: RunOutcome): boolean {
  const first = findings.find(({ severity, taskId }) => severity === 'error' && taskId === undefined)?.code;
  if (state === 'lost') return first === undefined || first === 'ERR_RUN_LOST';
  return state === 'failed' && first === 'ERR_RUN_DIED';
}
