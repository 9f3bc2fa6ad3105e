import type { TaskGraph } from '#core/graph.ts';
import type { TaskRecord } from '#core/run.ts';
import type { RunRecord } from './run-record.ts';

/**
 * The tasks of a run with what they depend on. Until its end has named the root, that is the one task on which no other
 * depends; with none or several such there is no graph yet.
 */
export function graphOf({ outcome, specification }: RunRecord, tasks: readonly TaskRecord[]): TaskGraph | undefined {
  const nodes = new Map(tasks.map(({ id, family, dependsOn }) => [id, { id, family, dependsOn }]));
  const root = outcome?.rootTaskId ?? onlyRoot(tasks, specification.task);
  return root !== undefined && nodes.has(root) ? { root, nodes } : undefined;
}

function onlyRoot(tasks: readonly TaskRecord[], family: string): string | undefined {
  const needed = new Set(tasks.flatMap(({ dependsOn }) => dependsOn));
  const roots = tasks.filter(({ id }) => !needed.has(id));
  if (roots.length === 1) return roots[0]?.id;
  const asked = roots.filter((task) => task.family === family);
  return asked.length === 1 ? asked[0]?.id : undefined;
}
