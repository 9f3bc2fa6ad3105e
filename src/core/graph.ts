/** One task of a graph as an engine describes it before or while it runs. */
export interface GraphNode {
  readonly id: string;
  readonly family: string;
  readonly dependsOn: readonly string[];
}

/** A directed graph of tasks; `root` is what the run was asked for. */
export interface TaskGraph {
  readonly root: string;
  readonly nodes: ReadonlyMap<string, GraphNode>;
}
