import { formatDuration } from '#core/duration.ts';
import type { ProgressRow } from '#core/host.ts';
import type { RunUpdate, TaskRecord, TaskState } from '#core/run.ts';
import { oneLine, taskName } from '#core/task-name.ts';

type TaskUpdate = Extract<RunUpdate, { kind: 'task' | 'status' }>;

const WORDS: Readonly<Record<TaskState, string>> = {
  pending: '· pending',
  running: '▶ running',
  done: '✔ done',
  complete: '✔ already complete',
  failed: '✘ failed',
  missing: '✘ missing input',
  blocked: '– could not run',
  disabled: '✘ given up after its retries',
  unschedulable: '✘ could not be scheduled',
  elsewhere: '– runs in another worker',
  died: '✘ its process died',
  skipped: '– skipped',
  unknown: '? unknown',
};

const SHOWN_MESSAGE = 120;

/** One line for a transition; `undefined` for what a person need not read. */
export function taskLine({ kind, task }: TaskUpdate): string | undefined {
  if (kind === 'status')
    return task.statusMessage && `    ${taskName(task)}: ${oneLine(task.statusMessage, SHOWN_MESSAGE)}${percent(task)}`;
  if (task.state === 'pending') return undefined;
  const again = task.state === 'running' && task.attempts > 1 ? `, attempt ${task.attempts}` : '';
  return `  ${WORDS[task.state]}  ${taskName(task)}${again}${took(task)}`;
}

const RESULTS: Partial<Readonly<Record<TaskState, NonNullable<ProgressRow['result']>>>> = {
  done: 'Succeeded',
  complete: 'Succeeded',
  failed: 'Failed',
  missing: 'Failed',
  disabled: 'Failed',
  unschedulable: 'Failed',
  died: 'Failed',
  blocked: 'Skipped',
  elsewhere: 'Skipped',
  skipped: 'Skipped',
  unknown: 'SucceededWithIssues',
};

/** What the pipeline shows of a task as a row of the step. */
export function taskRow(task: TaskRecord, id: string, order: number): ProgressRow {
  const result = RESULTS[task.state];
  return {
    id,
    name: taskName(task),
    order,
    state: result ? 'completed' : task.state === 'running' ? 'inProgress' : 'pending',
    startedAt: task.startedAt,
    ...(result && { result, endedAt: task.endedAt }),
  };
}

function took({ startedAt, endedAt, state }: TaskRecord): string {
  if (state === 'running' || startedAt === undefined || endedAt === undefined) return '';
  return `  ${formatDuration(endedAt - startedAt)}`;
}

function percent({ progress }: TaskRecord): string {
  return progress === undefined ? '' : ` (${Math.round(progress)} %)`;
}
