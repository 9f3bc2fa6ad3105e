import type { Endpoint } from './endpoint.ts';
import type { Restrictions } from './restrictions.ts';
import type { RunPublications } from './run-publications.ts';
import type { SecretMasker } from './secret-masker.ts';
import type { StepLog } from './step-log.ts';
import type { StepRecord } from './step-record.ts';
import type { VariableStore } from './variable-store.ts';

/** Everything that a logging command of a step may touch. */
export interface CommandContext {
  readonly record: StepRecord;
  readonly log: StepLog;
  readonly masker: SecretMasker;
  readonly variables: VariableStore;
  /** Shared by the pre-job, main and post-job stages of one step. */
  readonly taskVariables: VariableStore;
  /** Names that the task's `outputVariables` declare: set by the task, they are output variables. */
  readonly outputNames: ReadonlySet<string>;
  readonly endpoints: readonly Endpoint[];
  /** Latest last; the environment gets them in reverse order. */
  readonly prependPath: string[];
  readonly restrictions: readonly Restrictions[];
  readonly publications: RunPublications;
  readonly sourcesDirectory: string;
  /** Ends the step five seconds later, even when its process goes on. */
  forceCompletion(): void;
}
