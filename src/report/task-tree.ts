import type { ReportTask } from './schema.ts';

export interface TreeRow {
  readonly task: ReportTask;
  /** 0 for the root. */
  readonly depth: number;
}

/**
 * The tasks as a tree: the root first, below each task what it depends on. A task that several depend on stands below the
 * first of them only; what no path from the root reaches comes last. Linear, and cycles do no harm.
 */
export function taskTree(tasks: readonly ReportTask[], rootTaskId: string | undefined): TreeRow[] {
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const root = rootTaskId === undefined ? undefined : byId.get(rootTaskId);
  const seen = new Set<string>();
  const rows: TreeRow[] = [];
  for (const start of root ? [root, ...tasks] : topsFirst(tasks)) {
    const stack: TreeRow[] = [{ task: start, depth: 0 }];
    for (let row = stack.pop(); row; row = stack.pop()) {
      if (seen.has(row.task.id)) continue;
      seen.add(row.task.id);
      rows.push(row);
      stack.push(...below(row, byId));
    }
  }
  return rows;
}

function below({ task, depth }: TreeRow, byId: ReadonlyMap<string, ReportTask>): TreeRow[] {
  const rows = task.dependsOn.map((id) => byId.get(id)).filter((each) => each !== undefined);
  return rows.map((each) => ({ task: each, depth: depth + 1 })).toReversed();
}

/** Without a known root: tasks that no other depends on stand at the top. */
function topsFirst(tasks: readonly ReportTask[]): ReportTask[] {
  const needed = new Set(tasks.flatMap(({ dependsOn }) => dependsOn));
  return [...tasks.filter(({ id }) => !needed.has(id)), ...tasks];
}
