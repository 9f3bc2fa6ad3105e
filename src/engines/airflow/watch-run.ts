import type { Clock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import { retryAfterMs } from '#http/retry.ts';
import type { AirflowApi, AirflowRun, RunName } from './airflow-api.ts';
import { backOff, pollInterval, WAIT_INTERVAL_SECONDS, waitLength } from './poll-intervals.ts';
import { pollerOf } from './run-poller.ts';
import { isTerminal } from './run-words.ts';

/** What was heard of a run. */
export type Sight =
  /** It was read whole. */
  | { readonly kind: 'run'; readonly run: AirflowRun }
  /** A word of the wait endpoint; never a terminal one, which is read back first. */
  | { readonly kind: 'state'; readonly state: string }
  /** The server says that there is no such run. */
  | { readonly kind: 'gone' }
  /** The server could not be asked, and will be again. */
  | { readonly kind: 'away'; readonly error: PlumblineError; readonly waitMs: number }
  /** The server or an identity refuses: nothing more is heard. */
  | { readonly kind: 'refused'; readonly error: PlumblineError };

export interface Watching {
  readonly api: AirflowApi;
  readonly run: RunName;
  readonly clock: Clock;
  /** 0 to 1. */
  readonly random: () => number;
  /** Ends the watch. */
  readonly signal: AbortSignal;
}

/** Waits in a row that said nothing although the server answers otherwise: something in between keeps their lines back. */
const MOST_MUTE_WAITS = 2;
/** A wait that held for so long was a good one, however it ended. */
const STEADY_MS = 5_000;

/**
 * Watches the state of a run for as long as somebody listens: by the wait endpoint where there is one and it works, else by asking
 * again and again. Everything that it hears is given, also when nothing changed.
 *
 * @throws {PlumblineError} when the server or an identity refuses
 * @throws the signal's reason when it aborts
 */
export async function* watchRun(watching: Watching): AsyncGenerator<Sight, void, undefined> {
  yield* new Watch(watching).sights();
}

class Watch {
  readonly #watching: Watching;
  readonly #since: number;
  #failures = 0;
  #muteWaits = 0;
  #isFirst = true;

  constructor(watching: Watching) {
    this.#watching = watching;
    this.#since = watching.clock.now();
  }

  async *sights(): AsyncGenerator<Sight, void, undefined> {
    for (;;) {
      try {
        yield* this.#look();
      } catch (thrown) {
        yield* this.#away(thrown);
      }
    }
  }

  async *#look(): AsyncGenerator<Sight, void, undefined> {
    const { api } = this.#watching;
    if (this.#isFirst || this.#failures > 0) {
      yield await this.#readBack();
      this.#isFirst = false;
    } else if (api.features.wait && this.#muteWaits < MOST_MUTE_WAITS) yield* this.#wait();
    else yield* this.#poll();
  }

  async *#poll(): AsyncGenerator<Sight, void, undefined> {
    const { api, run, clock, random, signal } = this.#watching;
    const interval = pollInterval(clock.now() - this.#since, random());
    yield this.#heard(await pollerOf(api, clock).next(run, interval, signal));
  }

  async *#wait(): AsyncGenerator<Sight, void, undefined> {
    const { clock, random, signal } = this.#watching;
    const renewal = new AbortController();
    const over = new AbortController();
    const began = clock.now();
    clock.sleep(waitLength(random()), over.signal).then(
      () => renewal.abort(),
      () => {},
    );
    let words = 0;
    try {
      for await (const state of this.#words(AbortSignal.any([signal, renewal.signal]))) {
        words += 1;
        this.#failures = 0;
        if (isTerminal(state)) return yield* this.#ended();
        yield { kind: 'state', state };
      }
    } catch (thrown) {
      signal.throwIfAborted();
      // A stream that is cut says nothing; a refusal may be one of the wait endpoint alone: asking in the other way tells.
      if (!renewal.signal.aborted && !(thrown instanceof PlumblineError)) throw thrown;
    } finally {
      over.abort();
    }
    yield* this.#after(words, renewal.signal.aborted || clock.now() - began >= STEADY_MS);
  }

  #words(signal: AbortSignal): AsyncIterable<string> {
    return this.#watching.api.wait(this.#watching.run, WAIT_INTERVAL_SECONDS, signal);
  }

  /** @param isSteady it held for as long as it was meant to, or nearly */
  async *#after(words: number, isSteady: boolean): AsyncGenerator<Sight, void, undefined> {
    if (words > 0 && isSteady) {
      this.#muteWaits = 0;
      return;
    }
    yield await this.#readBack();
    if (words === 0) this.#muteWaits += 1;
    else await this.#pause();
  }

  /** What the wait says and the run does not, as behind a cache, is asked for no faster than by polling. */
  async *#ended(): AsyncGenerator<Sight, void, undefined> {
    yield await this.#readBack();
    await this.#pause();
  }

  async #readBack(): Promise<Sight> {
    const { api, run, signal } = this.#watching;
    return this.#heard(await api.run(run.dagId, run.runId, signal));
  }

  #heard(run: AirflowRun | undefined): Sight {
    this.#failures = 0;
    return run === undefined ? { kind: 'gone' } : { kind: 'run', run };
  }

  /** Between waits that break at once: no more than the polling would ask. */
  async #pause(): Promise<void> {
    const { clock, random, signal } = this.#watching;
    await clock.sleep(pollInterval(clock.now() - this.#since, random()), signal);
  }

  async *#away(thrown: unknown): AsyncGenerator<Sight, void, undefined> {
    const { clock, random, signal } = this.#watching;
    signal.throwIfAborted();
    if (!mayPass(thrown)) throw thrown;
    this.#failures += 1;
    const waitMs = backOff(this.#failures, askedWait(thrown, clock.now()), random());
    yield { kind: 'away', error: thrown, waitMs };
    await clock.sleep(waitMs, signal);
  }
}

/** Something that answers in the server's place, or half an answer, may be gone the next time. */
export function mayPass(thrown: unknown): thrown is PlumblineError {
  return thrown instanceof PlumblineError && (thrown.family === 'transient' || thrown.code === 'ERR_AIRFLOW_PROTOCOL');
}

/** Milliseconds that `Retry-After` asked for. */
export function askedWait({ details }: PlumblineError, now: number): number | undefined {
  const { retryAfter } = details;
  return typeof retryAfter === 'string' ? retryAfterMs(retryAfter, now) : undefined;
}
