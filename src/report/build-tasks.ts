import type { TaskFailure, TaskRecord, TaskState } from '#core/run.ts';
import type { DatasetIndex } from './build-datasets.ts';
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
  tasks: readonly TaskRecord[],
  datasets: DatasetIndex,
  rootTaskId: string | undefined,
): ReportTask[] {
  const urgency = ({ id, state }: TaskRecord) =>
    id === rootTaskId ? 0 : FIRST.includes(state) ? 1 : WELL.includes(state) ? 3 : 2;
  const order = tasks.map((task, index) => ({ task, index })).sort((a, b) => urgency(a.task) - urgency(b.task));
  const kept: { readonly index: number; readonly task: ReportTask }[] = [];
  let size = 0;
  for (const { task, index } of order.slice(0, CAPS.tasks)) {
    const built = buildTask(task, datasets);
    size += JSON.stringify(built).length;
    if (size > CAPS.tasksSize) break;
    kept.push({ index, task: built });
  }
  return kept.sort((a, b) => a.index - b.index).map(({ task }) => task);
}

function buildTask(task: TaskRecord, datasets: DatasetIndex): ReportTask {
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
    ...(failure && { failure: buildFailure(failure) }),
    ...(statusMessage && { statusMessage: cutText(statusMessage, CAPS.message) }),
    ...(trackingUrl && { trackingUrl: cutText(trackingUrl, CAPS.name) }),
    inputs: datasets.positions(task.inputs),
    outputs: datasets.positions(task.outputs),
  };
}

/** Public parameters, names and values cut. */
export function buildParameters(parameters: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(parameters).slice(0, CAPS.parameters);
  return Object.fromEntries(
    entries.map(([name, value]) => [cutText(name, CAPS.parameterValue), cutText(value, CAPS.parameterValue)]),
  );
}

export function buildTime(ms: number | undefined): number | undefined {
  return ms === undefined || !Number.isFinite(ms) ? undefined : Math.round(ms);
}

export function buildCount(count: number): number {
  return Number.isSafeInteger(count) && count > 0 ? count : 0;
}

function buildFailure({ type, message, traceback, frame }: TaskFailure): ReportFailure {
  return {
    type: cutText(type, CAPS.name),
    message: cutText(message, CAPS.message),
    traceback: cutStart(traceback, CAPS.traceback),
    ...(frame && {
      frame: {
        file: cutText(frame.file, CAPS.name),
        line: buildCount(frame.line),
        function: cutText(frame.function, CAPS.name),
      },
    }),
  };
}
