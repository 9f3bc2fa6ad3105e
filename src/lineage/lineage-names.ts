import { createHash } from 'node:crypto';
import { type Provenance, stageName } from '#core/provenance.ts';
import type { RunOutcome } from '#core/run.ts';
import { wellFormed } from '#core/well-formed.ts';

/** Marquez and DataHub both refuse job names beyond this. */
const MAX_NAME = 500;

/** `azure-devops://fabrikam/Shop`: jobs of one project share a namespace. */
export function defaultNamespace({ organization, project }: Provenance): string {
  return `azure-devops://${encodeURIComponent(wellFormed(organization))}/${encodeURIComponent(wellFormed(project.name))}`;
}

/** `<pipeline>.<stage>.<job>.<step>`, without a stage that has no name. */
export function stepJobName(provenance: Provenance): string {
  const { pipeline, job, step } = provenance;
  const stage = stageName(provenance);
  return jobName([pipeline.name, ...(stage === undefined ? [] : [stage]), job.name, step.name]);
}

/** The family of the root task, or what the run was asked for when no root came to be. */
export function workflowFamily(outcome: RunOutcome, asked: string): string {
  return outcome.tasks.find(({ id }) => id === outcome.rootTaskId)?.family ?? asked;
}

/**
 * Segments joined by dots. A dot inside a segment becomes a slash, because readers take what stands before the first dot for
 * the flow that a job belongs to (DataHub does). A long name is cut and ends in a part of its digest.
 */
export function jobName(segments: readonly string[]): string {
  const name = segments.map((segment) => segment.replaceAll('.', '/') || '-').join('.');
  if (name.length <= MAX_NAME) return name;
  return `${name.slice(0, MAX_NAME)}~${createHash('sha1').update(name).digest('hex').slice(0, 12)}`;
}
