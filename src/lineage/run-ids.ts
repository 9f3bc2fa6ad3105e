import type { Provenance } from '#core/provenance.ts';
import { staticUuid } from './static-uuid.ts';

/** Used where the start of the pipeline run is not known; ids stay the same for everybody. */
const NO_INSTANT = '1970-01-01T00:00:00Z';

const LAST_INSTANT = Date.UTC(9999, 0);

export interface LineageRunIds {
  /** This step of the pipeline run, in this attempt: parent of the workflow and root of everything below. */
  readonly step: string;
  /** The run of the workflow; the same in every attempt that follows the same run. */
  readonly workflow: string;
  task(taskId: string): string;
}

/**
 * Run ids that can be computed before, during and after a run by whoever knows the pipeline run and the run's id.
 *
 * @param runId the id of the run with its suffix (`RunRef.id`): a new run of the same step gets ids of its own
 */
export function lineageRunIds(provenance: Provenance, runId: string): LineageRunIds {
  const { organization, project, kind, run, stage, job, step } = provenance;
  const workflow = [organization, project.id, kind, run.id, runId];
  const attempt = [stage?.name ?? '', stage?.attempt ?? 1, job.id, job.attempt, step.id];
  const id = (...parts: readonly (string | number)[]) =>
    staticUuid(start(run.startedAt), JSON.stringify(['plumbline', ...parts]));
  return {
    step: id('step', ...workflow, ...attempt),
    workflow: id('workflow', ...workflow),
    task: (taskId) => id('task', ...workflow, taskId),
  };
}

function start(instant: string | undefined): string {
  const ms = Date.parse(instant ?? '');
  return ms >= 0 && ms <= LAST_INSTANT ? new Date(ms).toISOString() : NO_INSTANT;
}
