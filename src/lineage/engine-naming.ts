import type { TaskRecord } from '#core/run.ts';
import type { RunName } from './facets.ts';

/**
 * Under which names an engine's own integration tells of a run. What we tell under the same names is of the same runs, whether
 * that integration is at work or not.
 */
export interface EngineNaming {
  /** As the integration writes it. */
  readonly engine: string;
  readonly workflow: RunName;
  /** What a workflow is called there. */
  readonly jobType: string;
  /** What the run was told to come from when it was started: also of a run that an earlier attempt started. */
  readonly parent: RunName;
  readonly root: RunName;
  /** How the engine itself says that it ended; `undefined`: nobody knows, and no end is told. */
  readonly end: 'COMPLETE' | 'FAIL' | undefined;
  /** `undefined`: the integration tells nothing of this task. */
  task(task: TaskRecord): RunName | undefined;
}
