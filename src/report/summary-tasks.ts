import { formatDuration } from '#core/duration.ts';
import { CAPS } from './caps.ts';
import { inline, join, type Markdown, md, table } from './markdown.ts';
import type { Report, ReportTask } from './schema.ts';
import { taskLabel } from './task-label.ts';
import { type TreeRow, taskTree } from './task-tree.ts';
import { STATES_BY_URGENCY, TASK_WORDS } from './task-words.ts';
import { trusted } from './trusted.ts';

const MAX_INDENT = 12;

/** Each task in the tree it belongs to; of a large run each family. */
export function summaryTasks(report: Report): Markdown[] {
  const { tasks, run } = report;
  if (tasks.length === 0) return [];
  if (tasks.length > CAPS.summaryTasks) return [...tasksToLookAt(tasks), md`### Tasks by family`, familyTable(tasks)];
  const rows = taskTree(tasks, run.rootTaskId).map(taskRow);
  return [md`### Tasks`, table([md`Task`, md`State`, md`Took`], rows)];
}

/** Of a large run those tasks that did not go well, by name. */
function tasksToLookAt(tasks: readonly ReportTask[]): Markdown[] {
  const found = tasks.filter(({ state }) => state !== 'done' && state !== 'complete');
  if (found.length === 0) return [];
  found.sort((a, b) => urgency([a]) - urgency([b]));
  const rows = found.slice(0, CAPS.summaryFamilies).map((task) => taskRow({ task, depth: 0 }));
  const left = found.length - rows.length;
  return [
    md`### Tasks that are not done`,
    table([md`Task`, md`State`, md`Took`], rows),
    ...(left > 0 ? [md`… and ${left} more; those that were kept are in the report.`] : []),
  ];
}

function taskRow({ task, depth }: TreeRow): Markdown[] {
  const { sign, words } = TASK_WORDS[task.state];
  const again = task.attempts > 1 ? md`, attempt ${task.attempts}` : md``;
  return [md`${indent(depth)}${taskLabel(task)}`, md`${trusted(sign)} ${trusted(words)}${again}`, took(task)];
}

/** No-break spaces: a cell drops plain ones. */
function indent(depth: number): Markdown {
  if (depth === 0) return md``;
  return trusted(`${'&nbsp;&nbsp;&nbsp;'.repeat(Math.min(depth, MAX_INDENT) - 1)}└ `);
}

function took({ startedAt, endedAt }: ReportTask): Markdown {
  if (startedAt === undefined || endedAt === undefined) return md``;
  return trusted(formatDuration(Math.max(0, endedAt - startedAt)));
}

function familyTable(tasks: readonly ReportTask[]): Markdown {
  const families = new Map<string, ReportTask[]>();
  for (const task of tasks) {
    const known = families.get(task.family);
    if (known) known.push(task);
    else families.set(task.family, [task]);
  }
  const order = [...families].sort(([, a], [, b]) => urgency(a) - urgency(b));
  const rows = order.slice(0, CAPS.summaryFamilies).map(([family, members]) => familyRow(family, members));
  const left = order.slice(CAPS.summaryFamilies);
  const leftTasks = left.reduce((sum, [, members]) => sum + members.length, 0);
  const rest = left.length > 0 ? [[md`… ${left.length} more families`, md`${leftTasks}`, md``, md``]] : [];
  return table([md`Family`, md`Tasks`, md`States`, md`Longest`], [...rows, ...rest]);
}

function familyRow(family: string, members: readonly ReportTask[]): Markdown[] {
  const states = STATES_BY_URGENCY.map((state) => {
    const count = members.filter((task) => task.state === state).length;
    return count > 0 ? md`${trusted(TASK_WORDS[state].sign)} ${count} ${trusted(TASK_WORDS[state].words)}` : md``;
  });
  const longest = members.reduce(
    (max, { startedAt, endedAt }) => Math.max(max, (endedAt ?? 0) - (startedAt ?? endedAt ?? 0)),
    0,
  );
  return [
    inline(family, CAPS.summaryLabel),
    md`${members.length}`,
    join(states, ', '),
    longest > 0 ? trusted(formatDuration(longest)) : md``,
  ];
}

/** A family with a task that needs a look stands above one where all went well. */
function urgency(members: readonly ReportTask[]): number {
  return members.reduce(
    (least, { state }) => Math.min(least, STATES_BY_URGENCY.indexOf(state)),
    STATES_BY_URGENCY.length,
  );
}
