import type { Clock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import type { AirflowApi, AirflowRun, RunName } from './airflow-api.ts';

interface Waiter {
  readonly run: RunName;
  /** Milliseconds since the epoch. */
  readonly dueAt: number;
  readonly settle: (run: AirflowRun | undefined) => void;
  readonly fail: (reason: unknown) => void;
}

const POLLERS = new WeakMap<object, RunPoller>();

/** The poller of a server; every follower that uses the same object for the server shares it. */
export function pollerOf(api: AirflowApi, clock: Clock): RunPoller {
  const poller = POLLERS.get(api) ?? new RunPoller(api, clock);
  POLLERS.set(api, poller);
  return poller;
}

/**
 * Reads the states of runs, all that are waited for by one request: when one of them is due the others are read with it. Reads
 * nothing while nobody waits.
 */
class RunPoller {
  readonly #api: Pick<AirflowApi, 'run' | 'runs'>;
  readonly #clock: Clock;
  readonly #waiters = new Set<Waiter>();
  #alarm: { readonly at: number; readonly off: AbortController } | undefined;
  /** Somebody may read single runs and not the list of them. */
  #isListRefused = false;

  constructor(api: Pick<AirflowApi, 'run' | 'runs'>, clock: Clock) {
    this.#api = api;
    this.#clock = clock;
  }

  /**
   * The run, read in `inMs` milliseconds or earlier; `undefined`: it is not there.
   * @throws {PlumblineError} what the server's API throws
   * @throws the signal's reason when it aborts
   */
  next(run: RunName, inMs: number, signal: AbortSignal): Promise<AirflowRun | undefined> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const leave = () => {
        this.#waiters.delete(waiter);
        this.#arm();
        reject(signal.reason);
      };
      const settled = <Value>(settle: (value: Value) => void) => {
        return (value: Value) => {
          signal.removeEventListener('abort', leave);
          settle(value);
        };
      };
      const dueAt = this.#clock.now() + inMs;
      const waiter: Waiter = { run, dueAt, settle: settled(resolve), fail: settled(reject) };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiters.add(waiter);
      this.#arm();
    });
  }

  /** One alarm for whoever is due first; none when nobody waits, so that no process is kept alive by it. */
  #arm(): void {
    const due = Math.min(...[...this.#waiters].map(({ dueAt }) => dueAt));
    if (this.#alarm?.at === due) return;
    this.#alarm?.off.abort();
    this.#alarm = undefined;
    if (this.#waiters.size === 0) return;
    const alarm = { at: due, off: new AbortController() };
    this.#alarm = alarm;
    this.#clock.sleep(Math.max(0, due - this.#clock.now()), alarm.off.signal).then(
      () => this.#ring(),
      () => {},
    );
  }

  #ring(): void {
    this.#alarm = undefined;
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    void this.#answer(waiters);
  }

  async #answer(waiters: readonly Waiter[]): Promise<void> {
    // Each leaves by its own signal; what is read for somebody who has left is read for nobody.
    const { signal } = new AbortController();
    try {
      if (waiters.length === 1 || this.#isListRefused) return await this.#oneByOne(waiters, signal);
      const runs = await this.#api.runs(distinct(waiters.map(({ run }) => run)), signal);
      const found = new Map(runs.map((run) => [keyOf(run), run]));
      for (const { run, settle } of waiters) settle(found.get(keyOf(run)));
    } catch (thrown) {
      if (!(thrown instanceof PlumblineError) || thrown.code !== 'ERR_AIRFLOW_REFUSED') return failAll(waiters, thrown);
      this.#isListRefused = true;
      await this.#oneByOne(waiters, signal);
    }
  }

  async #oneByOne(waiters: readonly Waiter[], signal: AbortSignal): Promise<void> {
    for (const { run, settle, fail } of waiters) {
      await this.#api.run(run.dagId, run.runId, signal).then(settle, fail);
    }
  }
}

function failAll(waiters: readonly Waiter[], reason: unknown): void {
  for (const { fail } of waiters) fail(reason);
}

function distinct(runs: readonly RunName[]): readonly RunName[] {
  return [...new Map(runs.map((run) => [keyOf(run), run])).values()];
}

function keyOf({ dagId, runId }: RunName): string {
  return JSON.stringify([dagId, runId]);
}
