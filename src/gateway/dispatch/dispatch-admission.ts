import type { AuditData } from '../audit/audit-types.ts';
import type { Caller } from '../auth/caller.ts';
import type { PipelineDecision, PipelineGrant } from '../policy/access-grants.ts';
import type { Policy } from '../policy/policy.ts';
import { callerFacts } from '../runs/run-row.ts';
import type { NewPipelineRunRow } from '../store/schema.ts';
import type { PipelineRun, PipelineRunRequest, PipelineRunUpdate } from './pipeline-run.ts';

/** A decision that lets a pipeline be queued. */
export type PipelinePermit = PipelineDecision & { readonly grant: PipelineGrant };

export function decideDispatch(
  policy: Policy,
  caller: Caller,
  request: PipelineRunRequest,
  now: number,
): PipelineDecision {
  const { organization, project, pipeline, ref, templateParameters } = request;
  return policy.decidePipeline({ caller, organization, project, pipeline, ref, templateParameters }, now);
}

export function isPermit(decision: PipelineDecision): decision is PipelinePermit {
  return decision.allowed && decision.grant !== undefined;
}

export function auditedDispatch({ policy, binding, mode, allowed, wouldAllow, reasons }: PipelineDecision): AuditData {
  return { policy, binding, mode, allowed, wouldAllow, reasons };
}

type Asked = Pick<
  PipelineRun,
  'key' | 'organization' | 'project' | 'pipeline' | 'ref' | 'templateParameters' | 'fingerprint' | 'claimed'
>;

/** What every record about a pipeline run says of it: names of parameters, never their values. */
export function auditedPipelineRun(run: Asked): AuditData {
  const { key, organization, project, pipeline, ref, templateParameters: parameterNames, fingerprint, claimed } = run;
  return { key, organization, project, pipeline, ref, parameterNames, fingerprint, claimed };
}

export interface NewPipelineRun {
  readonly id: string;
  readonly key: string;
  readonly fingerprint: string;
  readonly caller: Caller;
  readonly request: PipelineRunRequest;
  readonly decision: PipelinePermit;
  readonly requestId: string;
  readonly now: number;
}

/** As it is when the record of the first request stands. The spelling of the project is the policy's. */
export function newPipelineRunRow(given: NewPipelineRun): NewPipelineRunRow {
  const { id, key, fingerprint, caller, request, decision, requestId, now } = given;
  const { policy, binding, mode, wouldAllow, grant } = decision;
  const update: PipelineRunUpdate = { kind: 'state', state: 'queued', at: now };
  return {
    id,
    scope: caller.scope,
    key,
    fingerprint,
    phase: 'intended',
    state: 'queued',
    organization: request.organization,
    project: grant.project,
    pipeline: request.pipeline,
    ref: request.ref,
    values_json: JSON.stringify(request.templateParameters),
    parameter_names_json: JSON.stringify(Object.keys(request.templateParameters).sort()),
    context_json: JSON.stringify({ lineage: request.lineage, claimed: request.claimed }),
    context_parameter: grant.contextParameter ?? null,
    caller_json: JSON.stringify(callerFacts(caller)),
    identity_json: JSON.stringify(caller),
    decision_json: JSON.stringify({ policy, mode, wouldAllow, ...(binding !== undefined && { binding }) }),
    request_id: requestId,
    attempt: 1,
    created_at: now,
    first_sent_at: null,
    sent_at: null,
    settles_at: null,
    retry_at: null,
    queued_at: null,
    started_at: null,
    ended_at: null,
    azure_run: null,
    azure_name: null,
    tags: null,
    problem: null,
    error_json: null,
    updates_json: JSON.stringify([update]),
  };
}
