import type { JsonValue } from '#core/json.ts';
import type { Caller } from '../auth/caller.ts';
import type { PipelineRunPhase, PipelineRunRow } from '../store/schema.ts';
import type { PipelineRun, PipelineRunError, PipelineRunRequest, PipelineRunUpdate } from './pipeline-run.ts';

/** A pipeline run with what only the gateway itself needs to know. */
export interface StoredPipelineRun {
  readonly record: PipelineRun;
  readonly phase: PipelineRunPhase;
  readonly attempt: number;
  readonly requestId: string;
  readonly firstSentAt: number | undefined;
  readonly sentAt: number | undefined;
  readonly settlesAt: number | undefined;
  readonly retryAt: number | undefined;
  readonly azureRun: number | undefined;
  /** The template parameter that gets the context; `undefined`: the policy names none. */
  readonly contextParameter: string | undefined;
  /** `undefined` as soon as it is queued. */
  readonly request: PipelineRunRequest | undefined;
  /** Whose permission it is; `undefined` as soon as it is queued. */
  readonly caller: Caller | undefined;
  readonly updates: readonly PipelineRunUpdate[];
}

interface Context {
  readonly lineage?: PipelineRunRequest['lineage'];
  readonly claimed: Readonly<Record<string, string>>;
}

export function hasEnded({ phase }: Pick<StoredPipelineRun, 'phase'>): boolean {
  return phase === 'ended' || phase === 'closed';
}

/** It ended, and nothing was queued: the same key may be tried again. */
export function wasRefused({ phase, azureRun, record }: StoredPipelineRun): boolean {
  return hasEnded({ phase }) && azureRun === undefined && record.state === 'failed';
}

export function asStoredPipelineRun(row: PipelineRunRow): StoredPipelineRun {
  const record = asPipelineRun(row);
  const context = JSON.parse(row.context_json) as Context;
  const values = row.values_json === null ? undefined : (JSON.parse(row.values_json) as Record<string, JsonValue>);
  const { organization, project, pipeline, ref } = row;
  return {
    record,
    phase: row.phase,
    attempt: row.attempt,
    requestId: row.request_id,
    firstSentAt: row.first_sent_at ?? undefined,
    sentAt: row.sent_at ?? undefined,
    settlesAt: row.settles_at ?? undefined,
    retryAt: row.retry_at ?? undefined,
    azureRun: row.azure_run ?? undefined,
    contextParameter: row.context_parameter ?? undefined,
    request: values && { organization, project, pipeline, ref, templateParameters: values, ...context },
    caller: row.identity_json === null ? undefined : (JSON.parse(row.identity_json) as Caller),
    updates: JSON.parse(row.updates_json) as readonly PipelineRunUpdate[],
  };
}

function asPipelineRun(row: PipelineRunRow): PipelineRun {
  const { claimed } = JSON.parse(row.context_json) as Context;
  return {
    id: row.id,
    key: row.key,
    scope: row.scope,
    fingerprint: row.fingerprint,
    state: row.state as PipelineRun['state'],
    organization: row.organization,
    project: row.project,
    pipeline: row.pipeline,
    ref: row.ref,
    templateParameters: JSON.parse(row.parameter_names_json) as readonly string[],
    createdAt: row.created_at,
    ...(row.queued_at !== null && { queuedAt: row.queued_at }),
    ...(row.started_at !== null && { startedAt: row.started_at }),
    ...(row.ended_at !== null && { endedAt: row.ended_at }),
    ...(row.azure_run !== null && { run: runOf(row, row.azure_run) }),
    ...(row.tags !== null && { tags: row.tags as 'set' | 'refused' | 'failed' }),
    ...(row.problem !== null && { problem: row.problem }),
    ...(row.error_json !== null && { error: JSON.parse(row.error_json) as PipelineRunError }),
    caller: JSON.parse(row.caller_json) as PipelineRun['caller'],
    claimed,
    decision: JSON.parse(row.decision_json) as PipelineRun['decision'],
  };
}

/** The page is made here: what a server calls a link is not handed on. */
export function runOf(
  { organization, project, azure_name }: Pick<PipelineRunRow, 'organization' | 'project' | 'azure_name'>,
  id: number,
): NonNullable<PipelineRun['run']> {
  const url = `${organization}/${encodeURIComponent(project)}/_build/results?buildId=${id}`;
  return { id, name: azure_name ?? '', url };
}
