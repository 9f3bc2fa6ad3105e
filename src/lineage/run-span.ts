import type { RunOutcome, TaskRecord } from '#core/run.ts';

/** Milliseconds since the epoch, `from` never after `to`. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** The last instant that RFC 3339 can write. */
const LAST = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

export function outcomeSpan({ startedAt, endedAt }: RunOutcome): Span {
  const from = clamp(startedAt, 0, LAST, 0);
  return { from, to: clamp(endedAt, from, LAST, from) };
}

/** Inside the span of its run, whatever the clock of the task said; a task never seen to end ends with its run. */
export function taskSpan({ startedAt, endedAt }: TaskRecord, run: Span): Span {
  const from = clamp(startedAt, run.from, run.to, run.from);
  return { from, to: clamp(endedAt, from, run.to, run.to) };
}

function clamp(ms: number | undefined, low: number, high: number, otherwise: number): number {
  return ms === undefined || Number.isNaN(ms) ? otherwise : Math.min(Math.max(ms, low), high);
}
