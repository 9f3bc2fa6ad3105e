import type { Endpoint } from './endpoint.ts';
import type { PlannedJobNames } from './job-names.ts';
import type { RunContext } from './run-context.ts';
import type { TaskResult } from './task-result.ts';
import type { VariableStore } from './variable-store.ts';

/** What the steps of one job share. */
export interface JobContext {
  readonly run: RunContext;
  readonly names: PlannedJobNames;
  readonly variables: VariableStore;
  readonly endpoints: readonly Endpoint[];
  readonly prependPath: string[];
  readonly sourcesDirectory: string;
  /** The job is cancelled: by the run, or because its time is up. */
  readonly cancelled: AbortSignal;
  /** No further step may run: the time for cancelling is up too. */
  readonly stopped: AbortSignal;
  /** `Agent.JobStatus` */
  status: TaskResult;
}
