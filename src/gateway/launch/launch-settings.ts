import type { Clock } from '#core/clock.ts';

/** What a launcher may use up for one attempt. */
export interface LaunchLimits {
  /** Captured output on the disk; default 64 MiB. What comes after is counted and dropped. */
  readonly outputMaxBytes: number;
  /** Events that are read; default 64 MiB, about a hundred thousand tasks. A worker that writes more is ended. */
  readonly eventMaxBytes: number;
  /** Milliseconds between SIGTERM and SIGKILL when a run is stopped; default 3,000. */
  readonly graceMs: number;
  /** Milliseconds from the spawn until the worker must have claimed its run; default 60,000. */
  readonly startMs: number;
}

export const DEFAULT_LIMITS: LaunchLimits = {
  outputMaxBytes: 64 * 1024 * 1024,
  eventMaxBytes: 64 * 1024 * 1024,
  graceMs: 3_000,
  startMs: 60_000,
};

/** Where a launcher says what it does; pino's logger is one. Never a secret, never a value of a parameter. */
export interface LaunchLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

export interface LaunchSettings {
  readonly limits: LaunchLimits;
  readonly clock: Clock;
  readonly log: LaunchLog;
}
