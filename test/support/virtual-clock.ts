import type { Clock } from '#core/clock.ts';

/** Time that passes only while everybody sleeps, and then to the moment at which the first one wakes. */
export class VirtualClock implements Clock {
  readonly #start: number;
  #now: number;
  readonly #sleepers = new Set<{ readonly until: number; readonly wake: () => void }>();

  constructor(start = 1_800_000_000_000) {
    this.#start = this.#now = start;
  }

  now(): number {
    return this.#now;
  }

  /** Milliseconds since its beginning. */
  get passed(): number {
    return this.#now - this.#start;
  }

  /** The machine sleeps: time passes, and whoever was to wake meanwhile wakes late. */
  suspend(ms: number): void {
    this.#now += ms;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const leave = () => {
        this.#sleepers.delete(sleeper);
        reject(signal?.reason);
      };
      const wake = () => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const sleeper = { until: this.#now + ms, wake };
      this.#sleepers.add(sleeper);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  /** Lets time pass until the work is done. Only for work that waits for nothing but this clock. */
  async until<Result>(work: Promise<Result>): Promise<Result> {
    let isDone = false;
    const done = () => {
      isDone = true;
    };
    work.then(done, done);
    for (;;) {
      await new Promise(setImmediate);
      if (isDone) return work;
      const next = [...this.#sleepers].reduce<{ until: number; wake: () => void } | undefined>(
        (first, sleeper) => (first === undefined || sleeper.until < first.until ? sleeper : first),
        undefined,
      );
      if (next === undefined) throw new Error('everybody waits, and nobody for the clock');
      this.#sleepers.delete(next);
      this.#now = Math.max(this.#now, next.until);
      next.wake();
    }
  }
}
