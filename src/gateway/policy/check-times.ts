import { parseDuration } from '#core/duration.ts';
import type { FieldPath } from '../config/yaml-source.ts';
import type { Complain } from './check-document.ts';
import { parseInstant } from './instant.ts';
import type { Period } from './policy-document.ts';

const LONGEST_MS = 3_650 * 86_400_000;

export function checkDuration(text: string, path: FieldPath, complain: Complain): void {
  const ms = parseDuration(text) ?? 0;
  if (!(ms > 0 && ms <= LONGEST_MS)) complain(path, 'must be longer than nothing and at most 3650d');
}

export function checkInstant(text: string, path: FieldPath, complain: Complain): void {
  if (parseInstant(text) === undefined) complain(path, 'is a day or time that does not exist');
}

/** Access for a time says why, so that whoever finds it later knows. */
export function checkPeriod({ from, until, reason }: Period, path: FieldPath, complain: Complain): void {
  if (from !== undefined) checkInstant(from, [...path, 'from'], complain);
  if (until !== undefined) checkInstant(until, [...path, 'until'], complain);
  if ((from ?? until) !== undefined && reason === undefined)
    complain([...path, 'reason'], 'is needed with `from` or `until`');
  const [start, end] = [parseInstant(from ?? ''), parseInstant(until ?? '')];
  if (start !== undefined && end !== undefined && start >= end)
    complain([...path, 'until'], 'must be later than `from`');
}
