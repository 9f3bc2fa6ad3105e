import type { PipelineApi, SeenRun } from '#azure-devops/pipeline-api.ts';
import { holdsContext } from './pipeline-context.ts';
import type { StoredPipelineRun } from './pipeline-run-row.ts';

/** Clocks may differ by this much; a run that is not in the list would be queued twice. */
const CLOCK_TOLERANCE_MS = 3_600_000;

/**
 * `absent`: every run of the pipeline since the first request was looked at, and none is ours. `undecided`: there are some that
 * do not show what they were queued with.
 */
export type FoundRun = SeenRun | 'absent' | 'undecided';

/** Looks in Azure DevOps for the run that has the shared id in its context parameter. @throws what the API throws */
export async function findQueuedRun(
  api: PipelineApi,
  { record, firstSentAt = record.createdAt }: Pick<StoredPipelineRun, 'record' | 'firstSentAt'>,
  contextParameter: string,
  signal: AbortSignal,
): Promise<FoundRun> {
  const { id, project, pipeline } = record;
  let undecided = false;
  for (const run of await api.runsSince(project, pipeline, firstSentAt - CLOCK_TOLERANCE_MS, signal)) {
    const parameters = run.templateParameters ?? (await api.templateParameters(project, pipeline, run.id, signal));
    if (parameters !== undefined && holdsContext(parameterOf(parameters, contextParameter), id)) return run;
    // Only a run that was queued by hand or by REST can be ours: others need not say that they have no parameters.
    undecided ||= parameters === undefined && (run.reason === 'manual' || run.reason === '');
  }
  return undecided ? 'undecided' : 'absent';
}

/** Names of template parameters have no case. */
function parameterOf(parameters: Readonly<Record<string, unknown>>, name: string): unknown {
  const found = Object.entries(parameters).find(([one]) => one.toLowerCase() === name.toLowerCase());
  return found?.[1];
}
