import type { PipelineApi } from '#azure-devops/pipeline-api.ts';
import type { Clock } from '#core/clock.ts';
import type { Policy } from '../policy/policy.ts';
import type { RunJournal } from '../runs/run-journal.ts';
import type { IdentityName } from './dispatch-errors.ts';
import type { PipelineRunStore } from './pipeline-run-store.ts';
import type { PipelineRunWatchers } from './pipeline-run-watchers.ts';
import type { InTurn } from './turns-of-each.ts';

/** A way to an organization, as the identity that the configuration has for it and the project. */
export interface PipelineConnection {
  readonly api: PipelineApi;
  readonly identity: IdentityName;
}

/** Milliseconds. */
export interface DispatchTimes {
  /** So long after its connection broke a request may still be worked on. */
  readonly settleMs: number;
  /** The same, when it was answered with an error. */
  readonly answeredSettleMs: number;
  /** A run is not sent any more after so long. */
  readonly queueWithinMs: number;
  /** Without knowing anything for so long, it stays unknown. */
  readonly giveUpMs: number;
  /** A run that Azure DevOps does not tell of any more for so long is gone. */
  readonly goneMs: number;
}

export const DISPATCH_TIMES: DispatchTimes = {
  settleMs: 180_000,
  answeredSettleMs: 30_000,
  queueWithinMs: 900_000,
  giveUpMs: 86_400_000,
  goneMs: 600_000,
};

/** What became of a request of a caller or of a request to Azure DevOps, for metrics. */
export type DispatchResult =
  | 'queued'
  | 'adopted'
  | 'refused'
  | 'denied'
  | 'not-queued'
  | 'ambiguous'
  | 'absent'
  | 'unknown';

/** What everything that works on pipeline runs shares. */
export interface DispatchContext {
  readonly runs: PipelineRunStore;
  readonly watchers: PipelineRunWatchers;
  readonly journal: RunJournal;
  /** The policy that is in force now. */
  readonly policy: () => Policy;
  /** `undefined`: the configuration has none. */
  readonly connect: (organization: string, project: string) => PipelineConnection | undefined;
  readonly times: DispatchTimes;
  /** Requests to queue something, at each organization for each `Caller.scope`. */
  readonly inTurn: InTurn;
  readonly clock: Clock;
  /** Aborts when this process stops working on them. */
  readonly closing: AbortSignal;
  readonly counted: (result: DispatchResult) => void;
  readonly log: (message: string, facts: Readonly<Record<string, unknown>>) => void;
}
