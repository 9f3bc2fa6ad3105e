import type { TaskRecord } from './run.ts';

const SHOWN_PARAMETERS = 6;
const SHOWN_VALUE = 60;

/** A task as messages name it: `orders.Load(region=north, day=2026-11-20)`. */
export function taskName({ family, parameters }: Pick<TaskRecord, 'family' | 'parameters'>): string {
  const entries = Object.entries(parameters);
  if (entries.length === 0) return family;
  const shown = entries.slice(0, SHOWN_PARAMETERS).map(([name, value]) => `${name}=${oneLine(value, SHOWN_VALUE)}`);
  return `${family}(${shown.join(', ')}${entries.length > SHOWN_PARAMETERS ? ', …' : ''})`;
}

/** Text on one line, cut to `length` characters. */
export function oneLine(text: string, length: number): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > length ? `${line.slice(0, length)}…` : line;
}
