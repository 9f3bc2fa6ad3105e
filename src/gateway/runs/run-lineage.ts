import { PRODUCT_VERSION } from '#core/product-version.ts';
import type { Provenance } from '#core/provenance.ts';
import { cleanRepositoryUrl } from '#core/repository-url.ts';
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

/**
 * Signed facts win; names that no token signs are claimed, and an id stands in where nobody gave a name. The claims are those
 * that `RunLuigi@1` sends.
 */
export function provenanceOf(record: RunRecord): Provenance {
  const { claimed } = record.specification;
  const signed = signedOf(record);
  const text = (name: string, otherwise: string) => claimed[name] || otherwise;
  const project = signed.project ?? text('projectId', String(record.caller['subject'] ?? 'unknown'));
  const pipeline = signed.pipeline ?? text('pipelineId', 'unknown');
  const run = signed.run ?? text('runId', record.id);
  const person = signed.actor ?? claimed['requestedForId'];
  return {
    ...organizationOf(record),
    project: { id: project, name: text('project', project) },
    kind: 'build',
    pipeline: { id: pipeline, name: text('pipeline', pipeline) },
    run: { id: run, name: text('run', run), url: text('runUrl', '') },
    reason: claimed['reason'],
    ...(claimed['stage'] && { stage: { name: claimed['stage'], attempt: 1 } }),
    job: { id: text('job', run), name: text('job', run), attempt: count(record.specification.attempt) },
    environment: signed.environment ?? claimed['environment'],
    step: { id: record.key, name: text('step', record.specification.task) },
    requestedFor: person === undefined ? undefined : { id: person },
    source: sourceOf(record, signed),
  };
}

function sourceOf({ specification: { claimed }, code }: RunRecord, signed: SignedFacts): Provenance['source'] {
  const repository = signed.repository ?? claimed['repository'];
  // Whoever claims an address may have left a token in it.
  const url = cleanRepositoryUrl(signed.repository) ?? cleanRepositoryUrl(claimed['repository']);
  const tag = signed.ref?.startsWith(TAG) ? signed.ref.slice(TAG.length) : claimed['tag'];
  const branch = signed.ref?.startsWith(BRANCH) ? signed.ref.slice(BRANCH.length) : (signed.ref ?? claimed['branch']);
  return {
    provider: url && providerOf(url),
    repositoryUrl: url,
    repositoryName: url ?? repository,
    // The code that ran, not the pipeline that asked for it: they need not be of the same commit.
    commit: code?.commit ?? signed.commit ?? claimed['commit'],
    ...(tag === undefined ? { branch } : { tag }),
    pullRequest: claimed['pullRequest'] === undefined ? undefined : { id: claimed['pullRequest'] },
  };
}

const TAG = 'refs/tags/';
const BRANCH = 'refs/heads/';

function providerOf(url: string): string {
  const { hostname } = new URL(url);
  if (hostname === 'dev.azure.com' || hostname.endsWith('.visualstudio.com')) return 'TfsGit';
  return hostname === 'github.com' ? 'GitHub' : 'Git';
}

function organizationOf({ caller, specification }: RunRecord): Pick<Provenance, 'organization' | 'organizationUrl'> {
  const { claimed } = specification;
  const signed = signedOrganization(caller);
  const otherwise = signed === undefined ? String(caller['iss'] ?? '') : `https://dev.azure.com/${signed}`;
  return {
    organizationUrl: organizationUrl(claimed['runUrl']) ?? otherwise,
    organization: (signed ?? claimed['organization']) || String(caller['issuer'] ?? 'unknown'),
  };
}

/** The pipeline's own token, alone or beside the one that was authorised, has the subject `p://fabrikam/Shop/nightly`. */
function signedOrganization(caller: RunRecord['caller']): string | undefined {
  const { iss, subject } = (caller['runFacts'] ?? caller) as RunRecord['caller'];
  if (!String(iss).startsWith('https://vstoken.dev.azure.com/')) return undefined;
  return /^p:\/\/([\w.-]+)\//.exec(String(subject))?.[1];
}

/** `https://dev.azure.com/fabrikam/Shop/_build/…` → `https://dev.azure.com/fabrikam` */
function organizationUrl(runUrl: string | undefined): string | undefined {
  const url = URL.parse(runUrl ?? '');
  if (url?.hostname.endsWith('.visualstudio.com')) return url.origin;
  const [organization] = url?.pathname.split('/').filter(Boolean) ?? [];
  return url?.hostname === 'dev.azure.com' && organization ? `${url.origin}/${organization}` : undefined;
}

function count(text: string | undefined): number {
  const value = Number(text);
  return Number.isSafeInteger(value) && value > 0 ? value : 1;
}

function signedOf({ caller }: RunRecord): SignedFacts {
  const signed = caller['signed'];
  return typeof signed === 'object' && signed !== null && !Array.isArray(signed) ? (signed as SignedFacts) : {};
}
