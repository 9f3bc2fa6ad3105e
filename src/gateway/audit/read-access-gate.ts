import type { Clock } from '#core/clock.ts';

/** Says whether a read is put on record: the first one of a token, a run and a minute. */
export interface ReadAccessGate {
  /** `true`: append the record, then answer. Asking counts as having recorded; `forget` takes it back. */
  isDue(tokenHash: string, runId: string): boolean;
  /** The record could not be written. */
  forget(tokenHash: string, runId: string): void;
}

const MINUTE = 60_000;

/**
 * @param capacity pairs of a minute that are remembered; more are recorded each time, which is never too little
 */
export function readAccessGate(clock: Pick<Clock, 'now'>, capacity = 50_000): ReadAccessGate {
  let minute = Number.NaN;
  const recorded = new Set<string>();
  return {
    isDue: (tokenHash, runId) => {
      const now = Math.floor(clock.now() / MINUTE);
      if (now !== minute) recorded.clear();
      minute = now;
      const pair = `${tokenHash} ${runId}`;
      if (recorded.has(pair)) return false;
      if (recorded.size < capacity) recorded.add(pair);
      return true;
    },
    forget: (tokenHash, runId) => void recorded.delete(`${tokenHash} ${runId}`),
  };
}
