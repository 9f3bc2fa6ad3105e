import type { Clock } from '#core/clock.ts';
import type { SourceFacts } from './git-facts.ts';
import type { NodeBinaries, NodeMajor } from './node-handlers.ts';
import type { PipelineListener } from './pipeline-listener.ts';
import type { PipelineServices, RunFacts, ServiceConnectionFacts } from './pipeline-services.ts';
import type { RunPublications } from './run-publications.ts';
import type { SecretMasker } from './secret-masker.ts';
import type { StepRecord } from './step-record.ts';
import type { VariableStore } from './variable-store.ts';
import type { WorkDirectories } from './work-directories.ts';

/** What all jobs of a run share. */
export interface RunContext {
  readonly run: RunFacts;
  readonly source: SourceFacts;
  readonly services: PipelineServices | undefined;
  readonly connections: readonly ServiceConnectionFacts[];
  /** `Build.*` and `System.*` of the run. */
  readonly runVariables: Readonly<Record<string, string>>;
  /** Given when the run was queued; they win over predefined ones and lose against the YAML's. */
  readonly queueVariables: Readonly<Record<string, string>>;
  readonly secretVariables: Readonly<Record<string, string>>;
  readonly masker: SecretMasker;
  readonly publications: RunPublications;
  /** Every step of every job, in the order in which they ran. */
  readonly records: StepRecord[];
  /** The variables of every job as they were at its end. */
  readonly finalVariables: VariableStore[];
  readonly write: (line: string) => void;
  readonly listener: PipelineListener;
  readonly clock: Clock;
  /** The run is cancelled. */
  readonly cancelled: AbortSignal;
  /** Nothing more may run. */
  readonly stopped: AbortSignal;
  readonly nodes: NodeBinaries;
  readonly forcedNode: NodeMajor | undefined;
  readonly directories: WorkDirectories;
  /** What every process inherits from the agent. */
  readonly inherited: Readonly<Record<string, string>>;
}
