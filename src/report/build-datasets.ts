import type { Dataset } from '#core/dataset.ts';
import type { TaskRecord } from '#core/run.ts';
import { CAPS, cutText } from './caps.ts';
import { DATASET_ROLES, type ReportDataset } from './schema.ts';

export interface DatasetIndex {
  readonly datasets: readonly ReportDataset[];
  readonly total: number;
  /** Positions in `datasets`, without those that were left out. */
  positions(of: readonly Dataset[]): number[];
}

/** All datasets of the tasks, each once, what was written first. */
export function indexDatasets(tasks: readonly TaskRecord[]): DatasetIndex {
  const found = new Map<string, ReportDataset>();
  for (const task of tasks) {
    for (const dataset of task.outputs) note(found, dataset, outputRole(task));
    // What a task would have read that never ran is told by those that were to write it.
    if (task.startedAt !== undefined) for (const dataset of task.inputs) note(found, dataset, 'read');
  }
  const all = [...found].sort(([, a], [, b]) => rank(a.role) - rank(b.role));
  const kept = all.slice(0, CAPS.datasets);
  const position = new Map(kept.map(([key], index) => [key, index]));
  return {
    datasets: kept.map(([, dataset]) => dataset),
    total: all.length,
    positions: (of) => distinct(of.map((dataset) => position.get(keyOf(dataset)))).slice(0, CAPS.taskDatasets),
  };
}

function outputRole({ state }: TaskRecord): ReportDataset['role'] {
  return state === 'done' ? 'written' : state === 'complete' ? 'present' : 'unwritten';
}

/** One that several tasks name keeps the role that says most. */
function note(
  found: Map<string, ReportDataset>,
  { namespace, name, type }: Dataset,
  role: ReportDataset['role'],
): void {
  const key = keyOf({ namespace, name });
  const known = found.get(key);
  if (known && rank(known.role) <= rank(role)) return;
  const texts = { namespace: cutText(namespace, CAPS.name), name: cutText(name, CAPS.name) };
  found.set(key, { ...texts, type: cutText(known?.type ?? type, CAPS.name), role });
}

function rank(role: ReportDataset['role']): number {
  return DATASET_ROLES.indexOf(role);
}

function keyOf({ namespace, name }: Pick<Dataset, 'namespace' | 'name'>): string {
  return JSON.stringify([namespace, name]);
}

function distinct(positions: readonly (number | undefined)[]): number[] {
  return [...new Set(positions)].filter((position) => position !== undefined);
}
