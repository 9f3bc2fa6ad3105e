import type { Clock } from '#core/clock.ts';
import type { Worker } from './worker.ts';

const MINUTE = 60_000;

/** Whether a worker may do something once more. It holds for a minute, counted from the first time. */
export type WorkerPace = (worker: Worker) => boolean;

/** @param perMinute of each worker; what is more is refused until the minute is over */
export function workerPace(perMinute: number, clock: Pick<Clock, 'now'>): WorkerPace {
  const counts = new WeakMap<Worker, { since: number; count: number }>();
  return (worker) => {
    const now = clock.now();
    const known = counts.get(worker);
    if (known === undefined || now - known.since >= MINUTE || now < known.since) {
      counts.set(worker, { since: now, count: 1 });
      return true;
    }
    known.count += 1;
    return known.count <= perMinute;
  };
}
