import type { CancelReason } from '../engine.ts';

/** Airflow refuses longer notes. */
export const LONGEST_NOTE = 1_000;

const LINE = /(?:^|\n)plumbline: (?:(cancelled|deadline)|resumed ([\w.-]{1,60}))\s*$/;

/**
 * That we stopped the run, and why. Airflow has no state for it and ends a stopped run with a teardown in success, so the last line of
 * the run's note remembers it.
 */
export function stopNoted(note: string | undefined): CancelReason | undefined {
  return LINE.exec(note ?? '')?.[1] as CancelReason | undefined;
}

/** The attempt that made the run go on, if one did. */
export function resumedBy(note: string | undefined): string | undefined {
  return LINE.exec(note ?? '')?.[2];
}

/** The note with this as its last line, in place of a line of ours that it had; cut where it would be too long. */
export function withStop(note: string | undefined, reason: CancelReason): string {
  return withLine(note, `plumbline: ${reason}`);
}

export function withResumption(note: string | undefined, attempt: string): string {
  return withLine(note, `plumbline: resumed ${attempt}`);
}

function withLine(note: string | undefined, line: string): string {
  const before = cut((note ?? '').replace(LINE, '').trimEnd(), LONGEST_NOTE - line.length - 1);
  return before === '' ? line : `${before}\n${line}`;
}

/** A note of at most so many characters, as Airflow counts them (code points); an emoji is not cut in half. */
export function cut(note: string, longest: number): string {
  const characters = [...note];
  return characters.length <= longest ? note : `${characters.slice(0, longest - 1).join('')}…`;
}
