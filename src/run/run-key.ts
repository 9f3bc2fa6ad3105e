import { createHash } from 'node:crypto';
import type { Provenance } from '#core/provenance.ts';

/** What makes a run the same run in every attempt. */
export interface RunKey {
  /** Short and safe in file names, host names and URLs: `plumbline-` and 20 hexadecimal digits. */
  readonly id: string;
  /** For people: organisation/project/run 17/stage/job/leg/step. */
  readonly readable: string;
}

const DIGITS = 20;

/**
 * The key of what this step runs: organisation, project, pipeline run, stage, job, matrix leg, step; without the attempt.
 *
 * `System.JobIdentifier` (`Build.Test.linux`) names the leg of a matrix; where the agent gives none, the position in the phase
 * does. The step is known by its reference name, which is unique in its job; only where there is none by the id of its instance,
 * because the service makes that anew for each attempt.
 * @param variable gives a variable by its dotted name
 */
export function runKey(provenance: Provenance, variable: (name: string) => string | undefined): RunKey {
  const { organizationUrl, organization, project, kind, run, stage, job, step } = provenance;
  const leg = variable('System.JobIdentifier') || variable('System.JobPositionInPhase') || '';
  const stepName = variable('System.TaskInstanceName') || step.id;
  const parts = [organizationUrl, project.id, kind, run.id, stage?.name ?? '', job.name, leg, stepName];
  const readable = [organization, project.name, `run ${run.id}`, stage?.name, job.name, leg, step.name];
  return {
    id: `plumbline-${createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, DIGITS)}`,
    readable: readable.filter(Boolean).join('/'),
  };
}

/** Identifies the attempt of stage and job; the same when only the step is tried again. */
export function attemptOf({ stage, job }: Provenance): string {
  return `${stage?.attempt ?? 1}.${job.attempt}`;
}

/** The id of the n-th run under a key: `key`, `key~2`, `key~3`, … */
export function numberedId(key: string, number: number): string {
  return number === 1 ? key : `${key}~${number}`;
}
