import type { GraphNode, TaskGraph } from '#core/graph.ts';
import type { AirflowTask, AirflowTaskInstance } from './airflow-api.ts';

/** `load`, or `load[3]` when it is mapped. */
export function taskInstanceId({ taskId, mapIndex }: Pick<AirflowTaskInstance, 'taskId' | 'mapIndex'>): string {
  return mapIndex < 0 ? taskId : `${taskId}[${mapIndex}]`;
}

/** Of a mapped task on which others depend so many instances are named at most: every pair of two wide ones would be a square. */
const MOST_OF_ONE = 100;

/** Which task instances of a run depend on which, by the tasks of its DAG. */
export class TaskStructure {
  readonly #upstream = new Map<string, string[]>();
  readonly #mapped: ReadonlySet<string>;

  constructor(tasks: readonly AirflowTask[]) {
    this.#mapped = new Set(tasks.filter(({ isMapped }) => isMapped).map(({ taskId }) => taskId));
    for (const { taskId, downstream } of tasks) {
      for (const next of downstream) this.#upstream.set(next, [...(this.#upstream.get(next) ?? []), taskId]);
    }
  }

  /** A mapped task has one instance without an index until Airflow knows how many it becomes. */
  isMapped(taskId: string): boolean {
    return this.#mapped.has(taskId);
  }

  /**
   * Ids of the instances on which those of a task depend.
   * @param instances of the run, by task
   */
  dependsOn(taskId: string, instances: ReadonlyMap<string, readonly string[]>): readonly string[] {
    return (this.#upstream.get(taskId) ?? []).flatMap((upstream) =>
      (instances.get(upstream) ?? []).slice(0, MOST_OF_ONE),
    );
  }
}

/** Ids of task instances by task. */
export function idsByTask(
  instances: Iterable<Pick<AirflowTaskInstance, 'taskId' | 'mapIndex'>>,
): ReadonlyMap<string, readonly string[]> {
  const ids = new Map<string, string[]>();
  for (const instance of instances) {
    const known = ids.get(instance.taskId);
    if (known) known.push(taskInstanceId(instance));
    else ids.set(instance.taskId, [taskInstanceId(instance)]);
  }
  return ids;
}

/**
 * The graph of a run. What the run was asked for is the DAG, so the root is a node of the DAG's name that depends on the tasks on
 * which nothing depends.
 */
export function graphOf(
  dagId: string,
  tasks: readonly AirflowTask[],
  instances: readonly Pick<AirflowTaskInstance, 'taskId' | 'mapIndex'>[],
): TaskGraph {
  const structure = new TaskStructure(tasks);
  const ids = idsByTask(instances);
  const nodes = new Map<string, GraphNode>();
  for (const instance of instances) {
    const id = taskInstanceId(instance);
    nodes.set(id, { id, family: instance.taskId, dependsOn: structure.dependsOn(instance.taskId, ids) });
  }
  const hasDownstream = new Set([...nodes.values()].flatMap(({ dependsOn }) => dependsOn));
  const leaves = [...nodes.keys()].filter((id) => !hasDownstream.has(id));
  const root = nodes.has(dagId) ? `DAG ${dagId}` : dagId;
  nodes.set(root, { id: root, family: dagId, dependsOn: leaves });
  return { root, nodes };
}
