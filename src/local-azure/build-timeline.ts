import type { ApiCall } from './devops-api.ts';
import type { TimelineEntry } from './pipeline-run.ts';

/** The run's timeline as both the build and the task API show it. */
export function buildTimeline({ run, world }: Pick<ApiCall, 'run' | 'world'>) {
  const { timelineId, buildId } = run.facts;
  const entries = [...run.timeline.values()];
  const changed = Math.max(
    run.startedAt ?? run.queuedAt,
    ...entries.map(({ startedAt, endedAt }) => endedAt ?? startedAt),
  );
  return {
    id: timelineId,
    changeId: entries.length + 1,
    lastChangedBy: '00000002-0000-8888-8000-000000000000',
    lastChangedOn: new Date(changed).toISOString(),
    url: `${world.organization.url}${run.project.id}/_apis/build/Builds/${buildId}/Timeline/${timelineId}`,
    records: entries.map(recordOf),
  };
}

function recordOf({ id, parentId, type, name, startedAt, endedAt, attempt, order }: TimelineEntry): object {
  return {
    previousAttempts: [],
    id,
    parentId,
    type,
    name,
    startTime: new Date(startedAt).toISOString(),
    finishTime: endedAt === undefined ? null : new Date(endedAt).toISOString(),
    currentOperation: null,
    percentComplete: null,
    state: endedAt === undefined ? 'inProgress' : 'completed',
    result: null,
    resultCode: null,
    changeId: order,
    lastModified: new Date(endedAt ?? startedAt).toISOString(),
    workerName: 'local',
    order,
    details: null,
    errorCount: 0,
    warningCount: 0,
    url: null,
    log: null,
    task: null,
    attempt,
    identifier: null,
  };
}
