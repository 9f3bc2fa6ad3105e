import type { Clock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import type { RunOutcome, RunUpdate, TaskRecord } from '#core/run.ts';
import { oneLine } from '#core/task-name.ts';
import { retryAfterMs } from '#http/retry.ts';
import type { StreamItem } from './gateway-stream.ts';
import type { GatewayOutcome, GatewayUpdate } from './gateway-update.ts';

export interface GatewayFollowing {
  /** One connection: what came after the update of this number. */
  readonly events: (after: number, signal: AbortSignal) => AsyncIterable<StreamItem>;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Spreads the waits between attempts to connect; 0 to 1. */
  readonly random: () => number;
  /** Without a sign of life for so long nobody can say how the run ends. Milliseconds. */
  readonly lostAfterMs: number;
  /** The run had ended before this attempt looked. */
  readonly adopted: boolean;
  /** For the message of a run that was lost. */
  readonly run: { readonly id: string; readonly handle: string; readonly gateway: string };
  /** Told of each connection that broke. */
  readonly onBroken?: ((why: string, waitMs: number) => void) | undefined;
}

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 15_000;
const LONGEST_ASKED_MS = 60_000;
/** A connection that holds for so long is a good one: the next wait is short again. */
const STEADY_MS = 10_000;
/** A gateway that cannot tell what comes next so often will not the next time either. */
const MOST_GAPS = 5;
const MOST_TASKS = 200_000;
const ADAPTER_VERSION = '1';

/**
 * Follows a run over as many connections as it takes: every update once and in order, the outcome last. A connection that
 * breaks is opened again behind the last update; a gateway that stays away, or lives and tells nothing that can be
 * used, makes the run `lost`, with `ERR_RUN_LOST`.
 *
 * @throws {PlumblineError} when the gateway or an identity refuses, or answers as no gateway does
 * @throws the signal's reason when it aborts
 */
export async function* followGatewayRun(following: GatewayFollowing): AsyncGenerator<RunUpdate> {
  yield* new Follower(following).updates();
}

class Follower {
  readonly #following: GatewayFollowing;
  readonly #tasks = new Map<string, TaskRecord>();
  readonly #startedAt: number;
  #sequence = 0;
  #failures = 0;
  /** Streams that said too little, since the last update. */
  #gaps = 0;
  #lastSign: number;
  #why = 'the connection ended';
  /** How long the gateway asked to be left alone. */
  #asked = 0;

  constructor(following: GatewayFollowing) {
    this.#following = following;
    this.#startedAt = this.#lastSign = following.clock.now();
  }

  async *updates(): AsyncGenerator<RunUpdate> {
    for (;;) {
      if (yield* this.#connection()) return;
      if (this.#gaps >= MOST_GAPS || this.#away() >= this.#following.lostAfterMs) return yield* this.#lost();
      await this.#wait();
    }
  }

  /** @returns whether the outcome was told */
  async *#connection(): AsyncGenerator<RunUpdate, boolean> {
    const { events, signal, clock } = this.#following;
    const since = clock.now();
    try {
      for await (const item of events(this.#sequence, signal)) {
        if (item.kind === 'end') throw new Gap('it ended the stream without an outcome');
        if (item.kind === 'update' || clock.now() - since >= STEADY_MS) this.#sign();
        if (item.kind === 'update' && (yield* this.#take(item))) return true;
      }
      this.#why = 'the connection ended';
    } catch (thrown) {
      this.#broken(thrown);
    }
    return false;
  }

  /** Nothing twice; and nothing behind a gap, because what is missing there may be what matters. */
  *#take({ sequence, update }: Extract<StreamItem, { kind: 'update' }>): Generator<RunUpdate, boolean> {
    if (sequence <= this.#sequence) return false;
    if (sequence !== this.#sequence + 1) throw new Gap(`update ${this.#sequence + 1} is missing before ${sequence}`);
    this.#sequence = sequence;
    this.#gaps = 0;
    if (update === undefined) return false;
    if (update.kind === 'outcome') {
      yield { kind: 'outcome', outcome: this.#whole(update.outcome) };
      return true;
    }
    this.#remember(update);
    yield update;
    return false;
  }

  #remember(update: Exclude<GatewayUpdate, { readonly kind: 'outcome' }>): void {
    // A further worker begins anew: what the one before knew of its tasks says nothing about them.
    if (update.kind === 'state') return void (update.state === 'queued' && this.#tasks.clear());
    this.#tasks.set(update.task.id, update.task);
    if (this.#tasks.size > MOST_TASKS) {
      throw new PlumblineError(
        'ERR_GATEWAY_PROTOCOL',
        `The gateway ${this.#following.run.gateway} tells of more than ${MOST_TASKS} tasks`,
      );
    }
  }

  #whole(outcome: GatewayOutcome): RunOutcome {
    return { ...outcome, tasks: [...this.#tasks.values()], adopted: this.#following.adopted };
  }

  #sign(): void {
    this.#lastSign = this.#following.clock.now();
    this.#failures = 0;
  }

  #away(): number {
    return this.#following.clock.now() - this.#lastSign;
  }

  /** What may pass is kept for the message; everything else ends the following. */
  #broken(thrown: unknown): void {
    this.#following.signal.throwIfAborted();
    if (!mayPass(thrown)) throw thrown;
    this.#why = thrown.message;
    if (thrown instanceof Gap) this.#gaps += 1;
    this.#asked = thrown instanceof PlumblineError ? askedWait(thrown, this.#following.clock.now()) : 0;
  }

  async #wait(): Promise<void> {
    const { clock, signal, random, onBroken, lostAfterMs } = this.#following;
    const longest = Math.min(FIRST_WAIT_MS * 2 ** this.#failures, LONGEST_WAIT_MS);
    const wanted = Math.max(longest * (0.5 + random() / 2), this.#asked);
    const wait = Math.min(wanted, Math.max(0, lostAfterMs - this.#away()));
    this.#asked = 0;
    this.#failures = Math.min(this.#failures + 1, 20);
    onBroken?.(this.#why, wait);
    await clock.sleep(wait, signal);
  }

  *#lost(): Generator<RunUpdate> {
    const at = this.#following.clock.now();
    const { run, adopted } = this.#following;
    const seconds = Math.round(this.#away() / 1_000);
    const message = `Nobody can say how the run ${run.id} ends: the gateway ${run.gateway} has not told of it for ${seconds} s (${oneLine(this.#why, 300)})`;
    const remedy = `It may still be going. Look at ${run.gateway}/v1/runs/${run.handle} before you start it again, or run the job again: it takes over the run.`;
    yield { kind: 'state', state: 'lost', at };
    yield {
      kind: 'outcome',
      outcome: {
        state: 'lost',
        verified: 'unknown',
        summary: message,
        tasks: [...this.#tasks.values()],
        findings: [{ severity: 'error', code: 'ERR_RUN_LOST', message, remedy }],
        startedAt: this.#startedAt,
        endedAt: at,
        engine: { name: 'luigi', adapterVersion: ADAPTER_VERSION },
        adopted,
      },
    };
  }
}

/** The stream itself says too little; the next connection may say more. */
class Gap extends Error {}

/** Something in front of the gateway that answers in its place, while it starts for example, may be gone the next time. */
function mayPass(thrown: unknown): thrown is Error {
  if (thrown instanceof Gap) return true;
  if (!(thrown instanceof PlumblineError)) return false;
  return (
    thrown.family === 'transient' || (thrown.code === 'ERR_GATEWAY_PROTOCOL' && thrown.details['status'] !== undefined)
  );
}

function askedWait({ details }: PlumblineError, now: number): number {
  const { retryAfter } = details;
  const asked = typeof retryAfter === 'string' ? retryAfterMs(retryAfter, now) : undefined;
  return Math.min(asked ?? 0, LONGEST_ASKED_MS);
}
