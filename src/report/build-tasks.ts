import type { RunOutcome, TaskFailure, TaskRecord, TaskState } from '#core/run.ts';
import type { DatasetIndex } from './build-datasets.ts';
import { buildCount, buildFrame, buildParameters, buildTime } from './build-values.ts';
import { CAPS, cutStart, cutText } from './caps.ts';
import type { ReportFailure, ReportTask } from './schema.ts';

/** What a person looks for first comes first; all other states follow, then what went well. */
const FIRST: readonly TaskState[] = ['failed', 'died', 'unschedulable', 'missing', 'disabled'];
const WELL: readonly TaskState[] = ['done', 'complete'];

/**
 * As many tasks as the caps allow, in their own order. When not all fit, those that did not go well are kept before those
 * that did, and the root before all.
 */
export function buildTasks(
  { tasks, rootTaskId }: RunOutcome,
  datasets: DatasetIndex,
  checkout: string | undefined,
): ReportTask[] {
  const urgency = ({ id, state }: TaskRecord) =>
    id === rootTaskId ? 0 : FIRST.includes(state) ? 1 : WELL.includes(state) ? 3 : 2;
  const order = tasks.map((task, index) => ({ task, index })).sort((a, b) => urgency(a.task) - urgency(b.task));
  const kept: { readonly index: number; readonly task: ReportTask }[] = [];
  let size = 0;
  for (const { task, index } of order.slice(0, CAPS.tasks)) {
    const built = buildTask(task, datasets, checkout);
    size += JSON.stringify(built).length;
    if (size > CAPS.tasksSize) break;
    kept.push({ index, task: built });
  }
  return kept.sort((a, b) => a.index - b.index).map(({ task }) => task);
}

function buildTask(task: TaskRecord, datasets: DatasetIndex, checkout: string | undefined): ReportTask {
  const { module, failure, statusMessage, trackingUrl } = task;
  return {
    id: cutText(task.id, CAPS.name),
    family: cutText(task.family, CAPS.name),
    ...(module && { module: cutText(module, CAPS.name) }),
    parameters: buildParameters(task.parameters),
    state: task.state,
    dependsOn: task.dependsOn.slice(0, CAPS.dependencies).map((id) => cutText(id, CAPS.name)),
    startedAt: buildTime(task.startedAt),
    endedAt: buildTime(task.endedAt),
    attempts: buildCount(task.attempts),
    ...(failure && { failure: buildFailure(failure, checkout) }),
    ...(statusMessage && { statusMessage: cutText(statusMessage, CAPS.message) }),
    ...(trackingUrl && { trackingUrl: cutText(trackingUrl, CAPS.name) }),
    inputs: datasets.positions(task.inputs),
    outputs: datasets.positions(task.outputs),
  };
}

function buildFailure({ type, message, traceback, frame }: TaskFailure, checkout: string | undefined): ReportFailure {
  return {
    type: cutText(type, CAPS.name),
    message: cutText(message, CAPS.message),
    traceback: cutStart(traceback, CAPS.traceback),
    ...(frame && { frame: buildFrame(frame, checkout) }),
  };
}
