import { parseDuration } from '#core/duration.ts';
import type { Complain } from './url-problem.ts';
import type { FieldPath } from './yaml-source.ts';

export const SECOND = 1_000;
export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;

/** The milliseconds of a duration; one outside of the range is a problem of its field. */
export function milliseconds(
  text: string,
  path: FieldPath,
  [least, most]: readonly [number, number],
  complain: Complain,
): number {
  const value = parseDuration(text) ?? Number.NaN;
  if (!(value >= least && value <= most)) complain(path, `must be from ${inWords(least)} to ${inWords(most)}`);
  return value;
}

function inWords(ms: number): string {
  if (ms % DAY === 0) return `${ms / DAY}d`;
  if (ms % HOUR === 0) return `${ms / HOUR}h`;
  return ms % SECOND === 0 ? `${ms / SECOND}s` : `${ms}ms`;
}
