import type { ActivePeriod } from './binding.ts';
import { parseInstant } from './instant.ts';

/** When an example is tried. */
export interface ExampleTime {
  readonly now: number;
  /** Whether a rule counts at that time. Without a time of the example only what is there for good counts. */
  readonly counts: (period: ActivePeriod) => boolean;
}

/** The example's own time; else a moment at which its rule holds, whatever the day. */
export function exampleTime({ from, until }: ActivePeriod, at: string | undefined): ExampleTime {
  return {
    now: parseInstant(at ?? '') ?? from ?? (until === undefined ? 0 : until - 1),
    counts: (period) => at !== undefined || (period.from === undefined && period.until === undefined),
  };
}
