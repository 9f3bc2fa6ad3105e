import { derivedGuid } from './derived-guid.ts';
import { DEFAULT_NAME } from './pipeline-model.ts';
import type { PlannedJob, PlannedStage } from './plan.ts';

/** Names and ids of one job in the service's words: what YAML calls a job is a phase with one or more jobs. */
export interface PlannedJobNames {
  readonly stage: string;
  readonly stageDisplayName: string;
  readonly stageId: string;
  readonly phase: string;
  readonly phaseDisplayName: string;
  readonly phaseId: string;
  /** `__default`, the leg of a matrix, or `Deploy`. */
  readonly job: string;
  readonly jobDisplayName: string;
  readonly jobId: string;
  /** `Stage.Phase.Job`, without a default stage. */
  readonly identifier: string;
  /** For people: `Stage.Phase` or `Phase`, with the leg. */
  readonly label: string;
  readonly position: number;
  readonly total: number;
  readonly environment:
    | { readonly name: string; readonly id: string; readonly resourceName: string | undefined }
    | undefined;
}

export function jobNames(planId: string, { spec: stage }: PlannedStage, { spec, leg }: PlannedJob): PlannedJobNames {
  const job = leg?.name ?? (spec.kind === 'deployment' ? 'Deploy' : DEFAULT_NAME);
  const scope = stage.name === DEFAULT_NAME ? [] : [stage.name];
  const identifier = [...scope, spec.name, job].join('.');
  return {
    stage: stage.name,
    stageDisplayName: stage.displayName,
    stageId: derivedGuid(planId, 'stage', stage.name),
    phase: spec.name,
    phaseDisplayName: spec.displayName,
    phaseId: derivedGuid(planId, 'phase', stage.name, spec.name),
    job,
    jobDisplayName: leg ? `${spec.displayName} ${leg.name}` : spec.displayName,
    jobId: derivedGuid(planId, 'job', identifier),
    identifier,
    label: [...scope, spec.name, ...(leg ? [leg.name] : [])].join('.'),
    position: leg ? spec.matrix.indexOf(leg) + 1 : 1,
    total: Math.max(spec.matrix.length, 1),
    environment: spec.environment && {
      ...spec.environment,
      id: String(Number.parseInt(derivedGuid(spec.environment.name).slice(0, 4), 16) + 1),
    },
  };
}
