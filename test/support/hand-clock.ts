import type { Clock } from '#core/clock.ts';
import type { Http } from '#http/http.ts';

/** For tests whose issuers bring their keys along. */
export const NO_NETWORK: Http = {
  network: { skipVerification: false },
  request: ({ url }) => Promise.reject(new Error(`nothing may be fetched, and ${String(url)} was asked for`)),
};

/** A clock that stands until it is moved; whoever sleeps wakes when the time has come. */
export interface HandClock extends Clock {
  move(ms: number): void;
  set(now: number): void;
  /** How many sleep now. */
  readonly sleeping: number;
}

export function handClock(start: number): HandClock {
  let now = start;
  const sleepers = new Set<() => void>();
  const set = (time: number) => {
    now = time;
    for (const wake of [...sleepers]) wake();
  };
  return {
    now: () => now,
    set,
    get sleeping() {
      return sleepers.size;
    },
    move: (ms) => set(now + ms),
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const until = now + ms;
        const wake = () => {
          if (now < until && !signal?.aborted) return;
          sleepers.delete(wake);
          if (signal?.aborted) reject(signal.reason);
          else resolve();
        };
        sleepers.add(wake);
        signal?.addEventListener('abort', wake);
        wake();
      }),
  };
}
