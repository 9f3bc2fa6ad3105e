import { formatDuration } from '#core/duration.ts';
import type { Report, ReportTask } from '#report/schema.ts';
import { taskName } from '#report/task-label.ts';
import { type TreeRow, taskTree } from '#report/task-tree.ts';
import { RUN_WORDS, TASK_WORDS } from '#report/task-words.ts';

/** Prints a run as a tree: the root, below each task what it depends on, with states and durations. */
export function showReport({ run, tasks }: Report): void {
  const rows = taskTree(tasks, run.rootTaskId);
  const names = rows.map(({ task, depth }) => `${'  '.repeat(depth)}${taskName(task)}`);
  const width = Math.max(...names.map((name) => name.length));
  const { sign, words } = RUN_WORDS[run.state];
  console.log(
    `\n${sign} ${run.workflow} ${words} in ${formatDuration(run.endedAt - run.startedAt)}, ${tasks.length} tasks`,
  );
  for (const [i, row] of rows.entries()) console.log(line(row, names[i] ?? '', width));
}

function line({ task }: TreeRow, name: string, width: number): string {
  const { sign, words } = TASK_WORDS[task.state];
  return `  ${sign} ${name.padEnd(width)}  ${words}${duration(task)}`;
}

/** Tasks of an example take milliseconds; the summary rounds them away. */
function duration({ startedAt, endedAt }: ReportTask): string {
  if (startedAt === undefined || endedAt === undefined) return '';
  const ms = endedAt - startedAt;
  return `  ${ms < 1_000 ? `${Math.round(ms)} ms` : formatDuration(ms)}`;
}
