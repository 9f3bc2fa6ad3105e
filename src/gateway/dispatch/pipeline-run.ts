import type { JsonValue } from '#core/json.ts';

/** How a pipeline run stands. Only `succeeded` is green; `unknown`: nobody can say. */
export const PIPELINE_RUN_STATES = [
  'queued',
  'running',
  'succeeded',
  'partiallySucceeded',
  'failed',
  'cancelled',
  'unknown',
] as const;
export type PipelineRunState = (typeof PIPELINE_RUN_STATES)[number];

/** A run of OpenLineage, as the caller names it. */
export interface LineageRun {
  /** A UUID. */
  readonly runId: string;
  readonly namespace: string;
  readonly name: string;
}

/** What a caller asks for: body of `POST /v1/azure-devops/pipeline-runs`, checked and completed. */
export interface PipelineRunRequest {
  /** `https://dev.azure.com/fabrikam`, in lower case. */
  readonly organization: string;
  readonly project: string;
  /** Id of the pipeline's definition. */
  readonly pipeline: number;
  /** In full: `refs/heads/main`. */
  readonly ref: string;
  readonly templateParameters: Readonly<Record<string, JsonValue>>;
  readonly lineage?: { readonly parent?: LineageRun | undefined; readonly root?: LineageRun | undefined } | undefined;
  /** What the caller says about itself and no token signs. */
  readonly claimed: Readonly<Record<string, string>>;
}

export interface PipelineRunError {
  readonly code: string;
  readonly message: string;
  readonly remedy?: string | undefined;
  /** A stable word. */
  readonly reason?: string | undefined;
}

/** A pipeline run as the gateway keeps it. Times are milliseconds since the epoch. */
export interface PipelineRun {
  /** UUID of version 7; also the id that both sides know the run by. */
  readonly id: string;
  readonly key: string;
  /** `Caller.scope` of whoever asked. */
  readonly scope: string;
  /** SHA-256 of what is queued, canonical: the same key with another one is refused. */
  readonly fingerprint: string;
  readonly state: PipelineRunState;
  readonly organization: string;
  readonly project: string;
  readonly pipeline: number;
  readonly ref: string;
  /** Names; values are not shown. */
  readonly templateParameters: readonly string[];
  readonly createdAt: number;
  readonly queuedAt?: number | undefined;
  readonly startedAt?: number | undefined;
  readonly endedAt?: number | undefined;
  /** In Azure DevOps; absent: not known to be queued. */
  readonly run?: { readonly id: number; readonly name: string; readonly url: string } | undefined;
  readonly tags?: 'set' | 'refused' | 'failed' | undefined;
  /** What holds it up at the moment, for people. */
  readonly problem?: string | undefined;
  readonly error?: PipelineRunError | undefined;
  readonly caller: Readonly<Record<string, JsonValue>>;
  readonly claimed: Readonly<Record<string, string>>;
  readonly decision: Readonly<Record<string, JsonValue>>;
}

/** Something new about a pipeline run; the last is an outcome. */
export type PipelineRunUpdate =
  | { readonly kind: 'state'; readonly state: PipelineRunState; readonly at: number; readonly run?: PipelineRun['run'] }
  | { readonly kind: 'outcome'; readonly outcome: PipelineRunOutcome };

export interface PipelineRunOutcome {
  readonly state: PipelineRunState;
  readonly endedAt: number;
  readonly run?: PipelineRun['run'];
  readonly error?: PipelineRunError | undefined;
}

export interface NumberedPipelineUpdate {
  /** From 1, without a gap. */
  readonly sequence: number;
  readonly update: PipelineRunUpdate;
}
