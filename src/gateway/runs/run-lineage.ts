import { PRODUCT_VERSION } from '#core/product-version.ts';
import type { Provenance } from '#core/provenance.ts';
import type { RunOutcome, TaskRecord } from '#core/run.ts';
import { describeLineage, type Lineage } from '#lineage/describe-lineage.ts';
import { producerUri, type RunEvent } from '#lineage/open-lineage.ts';
import type { SignedFacts } from '../auth/caller.ts';
import type { RunRecord } from './run-record.ts';

const SCHEMA = 'urn:plumbline:schema:plumbline-gateway-run-facet:1-0-0#/$defs/PlumblineGatewayRunFacet';

/**
 * The OpenLineage events of a run that ended at a gateway. Where it came from is taken from what the caller's token signs and,
 * for the rest, from what the caller claims; the run facet `plumbline_gateway` says which is which, who decided, and the
 * digest of the code.
 */
export function lineageOf(
  record: RunRecord,
  outcome: Omit<RunOutcome, 'tasks'>,
  tasks: readonly TaskRecord[],
): Lineage {
  const options = { runId: record.key, workflow: record.specification.task, producerVersion: PRODUCT_VERSION };
  const lineage = describeLineage({ ...outcome, tasks }, provenanceOf(record), options);
  return { ...lineage, events: lineage.events.map((event) => withFacet(event, record)) };
}

function withFacet(event: RunEvent, record: RunRecord): RunEvent {
  const { specification, decision, isolation, code, attempt } = record;
  const facet = {
    _producer: producerUri(PRODUCT_VERSION),
    _schemaURL: SCHEMA,
    run: record.id,
    attempt,
    role: specification.role,
    policy: decision.policy,
    binding: decision.binding,
    isolation,
    caller: { issuer: record.caller['iss'], subject: record.caller['subject'] },
    signed: signedOf(record),
    claimed: specification.claimed,
    ...(code && { code }),
  };
  return { ...event, run: { ...event.run, facets: { ...event.run.facets, plumbline_gateway: facet } } };
}

/** Signed facts win; names that no token signs are claimed, and an id stands in where nobody gave a name. */
export function provenanceOf(record: RunRecord): Provenance {
  const { claimed } = record.specification;
  const signed = signedOf(record);
  const text = (name: string, otherwise: string) => claimed[name] || otherwise;
  const subject = String(record.caller['subject'] ?? 'unknown');
  const project = signed.project ?? text('projectId', subject);
  const pipeline = signed.pipeline ?? text('pipelineId', 'unknown');
  const run = signed.run ?? text('runId', record.id);
  const jobId = text('jobId', run);
  return {
    organizationUrl: text('organizationUrl', String(record.caller['iss'] ?? '')),
    organization: text('organization', String(record.caller['issuer'] ?? 'unknown')),
    project: { id: project, name: text('project', project) },
    kind: claimed['kind'] === 'release' ? 'release' : 'build',
    pipeline: { id: pipeline, name: text('pipeline', pipeline) },
    run: { id: run, name: text('runName', run), url: text('runUrl', ''), startedAt: claimed['runStartedAt'] },
    reason: claimed['reason'],
    ...(claimed['stage'] && { stage: { name: claimed['stage'], attempt: count(claimed['stageAttempt']) } }),
    job: { id: jobId, name: text('job', jobId), attempt: count(claimed['jobAttempt']) },
    environment: signed.environment ?? claimed['environment'],
    step: { id: text('stepId', record.key), name: text('step', record.specification.task) },
    requestedFor: signed.actor === undefined ? undefined : { id: signed.actor },
    agentVersion: claimed['agentVersion'],
    source: sourceOf(record, signed),
  };
}

function sourceOf({ specification: { claimed }, code }: RunRecord, signed: SignedFacts): Provenance['source'] {
  const ref = signed.ref ?? claimed['ref'];
  const repository = URL.canParse(signed.repository ?? '') ? signed.repository : claimed['repositoryUrl'];
  return {
    provider: claimed['repositoryProvider'],
    repositoryUrl: repository,
    repositoryName: claimed['repository'] ?? signed.repository,
    // The code that ran wins over the commit of the pipeline that asked: they need not be the same.
    commit: code?.commit ?? signed.commit ?? claimed['commit'],
    ...(ref?.startsWith('refs/tags/') ? { tag: ref.slice('refs/tags/'.length) } : { branch: branchOf(ref) }),
  };
}

function branchOf(ref: string | undefined): string | undefined {
  return ref?.startsWith('refs/heads/') ? ref.slice('refs/heads/'.length) : ref;
}

function count(text: string | undefined): number {
  const value = Number(text);
  return Number.isSafeInteger(value) && value > 0 ? value : 1;
}

function signedOf({ caller }: RunRecord): SignedFacts {
  const signed = caller['signed'];
  return typeof signed === 'object' && signed !== null && !Array.isArray(signed) ? (signed as SignedFacts) : {};
}
