import type { Provenance } from '#core/provenance.ts';

const LONGEST = 1_000;

/** What a pipeline run says of itself to a gateway, which records it as claimed. No e-mail address, nothing secret. */
export function claimedFacts(provenance: Provenance): Readonly<Record<string, string>> {
  const { source, stage, requestedFor } = provenance;
  const facts = {
    organization: provenance.organization,
    project: provenance.project.name,
    projectId: provenance.project.id,
    pipeline: provenance.pipeline.name,
    pipelineId: provenance.pipeline.id,
    run: provenance.run.name,
    runId: provenance.run.id,
    runUrl: provenance.run.url,
    reason: provenance.reason,
    stage: stage?.name,
    job: provenance.job.name,
    step: provenance.step.name,
    environment: provenance.environment,
    requestedForId: requestedFor?.id,
    requestedFor: requestedFor?.name,
    repository: source.repositoryUrl ?? source.repositoryName,
    commit: source.commit,
    branch: source.branch,
    tag: source.tag,
    pullRequest: source.pullRequest?.id,
  };
  const known = Object.entries(facts).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return Object.fromEntries(known.map(([name, value]) => [name, value.slice(0, LONGEST)]));
}
