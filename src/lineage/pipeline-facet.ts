import type { Provenance } from '#core/provenance.ts';
import type { RunOutcome } from '#core/run.ts';
import type { Facet, Facets } from './open-lineage.ts';

const SCHEMA = 'urn:plumbline:schema:azure-devops-pipeline-run-facet:1-0-0#/$defs/AzureDevOpsPipelineRunFacet';

/**
 * The run facet `azureDevOps_pipeline`: what no standard facet carries. Its schema is
 * docs/schemas/azure-devops-pipeline-run-facet.json.
 *
 * @param withName also the display name of the person; an id without it is the default
 */
export function pipelineFacet(producer: string, provenance: Provenance, withName: boolean): Facet {
  const { organizationUrl, organization, project, pipeline, run, source } = provenance;
  return {
    _producer: producer,
    _schemaURL: SCHEMA,
    evidence: 'claimed',
    organization,
    organizationUrl,
    project,
    kind: provenance.kind,
    pipeline,
    run: { id: run.id, name: run.name, url: run.url, startedAt: run.startedAt },
    reason: provenance.reason,
    stage: provenance.stage,
    job: provenance.job,
    step: provenance.step,
    environment: provenance.environment,
    requestedForId: provenance.requestedFor?.id,
    ...(withName && { requestedForName: provenance.requestedFor?.name }),
    source: {
      provider: source.provider,
      repository: source.repositoryName,
      commit: source.commit,
      dirty: source.dirty,
      pullRequest: source.pullRequest,
    },
  };
}

/** The facet with how the run ended, which the type of an event alone cannot say (`lost` is not `cancelled`). */
export function endedPipelineFacet(facet: Facet, { state, verified, adopted }: RunOutcome): Facets {
  return { azureDevOps_pipeline: { ...facet, outcome: { state, verified, adopted } } };
}
