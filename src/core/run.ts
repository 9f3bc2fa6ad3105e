import type { Dataset } from './dataset.ts';
import type { ErrorCode } from './errors.ts';

/**
 * State of a run. `lost`: nobody can say how it ended. `deadline`: it was stopped, or asked to stop, because its time was up.
 * Only `succeeded` is green; unknown is never success.
 */
export type RunState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'lost' | 'deadline';

/**
 * State of one task.
 * - `complete`: was already complete, nothing had to run.
 * - `missing`: an external input that is not there.
 * - `blocked`: could not run because of other tasks.
 * - `disabled`: given up after its retries.
 * - `unschedulable`: `requires()`, `complete()` or `output()` raised.
 * - `elsewhere`: another worker holds it.
 * - `died`: its process ended without a result.
 * - `skipped`: the workflow itself decided not to run it.
 */
export const TASK_STATES = [
  'pending',
  'running',
  'done',
  'complete',
  'failed',
  'missing',
  'blocked',
  'disabled',
  'unschedulable',
  'elsewhere',
  'died',
  'skipped',
  'unknown',
] as const;
export type TaskState = (typeof TASK_STATES)[number];

export interface TaskFailure {
  /** Exception class, e.g. `ValueError`. */
  readonly type: string;
  readonly message: string;
  readonly traceback: string;
  /** The last frame of the traceback that is not Luigi's own. */
  readonly frame?: { readonly file: string; readonly line: number; readonly function: string } | undefined;
}

export interface TaskRecord {
  readonly id: string;
  readonly family: string;
  readonly module?: string | undefined;
  /** Public parameters only, as the engine serialises them; long values are cut. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly state: TaskState;
  readonly dependsOn: readonly string[];
  /** Milliseconds since the epoch. */
  readonly startedAt?: number | undefined;
  readonly endedAt?: number | undefined;
  /** How often it was started in this run. */
  readonly attempts: number;
  readonly failure?: TaskFailure | undefined;
  readonly inputs: readonly Dataset[];
  readonly outputs: readonly Dataset[];
  readonly statusMessage?: string | undefined;
  /** 0 to 100. */
  readonly progress?: number | undefined;
  readonly trackingUrl?: string | undefined;
}

/** Where a run is, for whoever follows it or cleans up after it. */
export interface RunRef {
  /** The run key with its suffix, e.g. `…~2`; stable across attempts. */
  readonly id: string;
  readonly engine: string;
  /** The engine's own handle, e.g. a run directory or a DAG run id. */
  readonly handle: string;
}

export type RunUpdate =
  | { readonly kind: 'state'; readonly state: RunState; readonly at: number }
  | { readonly kind: 'task'; readonly task: TaskRecord; readonly previous: TaskState | undefined; readonly at: number }
  /** The task's state did not change, its message or progress did. */
  | { readonly kind: 'status'; readonly task: TaskRecord; readonly at: number }
  | { readonly kind: 'outcome'; readonly outcome: RunOutcome };

/** Something to tell about a run, an error or a warning, in the order of importance. */
export interface Finding {
  readonly severity: 'error' | 'warning';
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy?: string | undefined;
  readonly taskId?: string | undefined;
  /** Where in the user's code; the file is absolute. */
  readonly frame?: TaskFailure['frame'];
}

/** How a run ended. `findings` has at least one error unless `state` is `succeeded`. */
export interface RunOutcome {
  readonly state: Exclude<RunState, 'queued' | 'running'>;
  /** `confirmed`: the worker asked the root and it is complete. `unverifiable`: nothing can be asked. `unknown`: no answer. */
  readonly verified: 'confirmed' | 'unverifiable' | 'refuted' | 'unknown';
  readonly rootTaskId?: string | undefined;
  /** The one sentence that says how it ended, also that nothing had to run. */
  readonly summary?: string | undefined;
  readonly tasks: readonly TaskRecord[];
  readonly findings: readonly Finding[];
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly engine: { readonly name: string; readonly version?: string | undefined; readonly adapterVersion: string };
  /** The run ended before this attempt looked at it; nothing was started. */
  readonly adopted: boolean;
}
