import type { TaskRecord, TaskState } from '#core/run.ts';

export interface GraphView {
  readonly root?: string;
  readonly nodes: readonly {
    readonly id: string;
    readonly family: string;
    readonly dependsOn: readonly string[];
    readonly state: TaskState;
  }[];
}

/** The graph of a run. @param root of its outcome; before the end it is the one task that nothing depends on. */
export function runGraph(tasks: readonly TaskRecord[], root: string | undefined): GraphView {
  const nodes = tasks.map(({ id, family, dependsOn, state }) => ({ id, family, dependsOn, state }));
  const needed = new Set(tasks.flatMap(({ dependsOn }) => dependsOn));
  const tops = nodes.filter(({ id }) => !needed.has(id));
  const found = root ?? (tops.length === 1 ? tops[0]?.id : undefined);
  return { ...(found !== undefined && { root: found }), nodes };
}
