import type { Dataset } from '#core/dataset.ts';
import type { RunOutcome, TaskRecord } from '#core/run.ts';
import type { DatasetName } from './open-lineage.ts';

/** Readers refuse events beyond a few megabytes (Dataplex: 5 MB). */
export const MAX_DATASETS = 2_000;

export interface DataFlow {
  readonly inputs: readonly DatasetName[];
  readonly outputs: readonly DatasetName[];
}

/** A task ran when it was started in this run, however that ended. */
export function hasRun(task: TaskRecord): task is TaskRecord & { readonly startedAt: number } {
  return task.startedAt !== undefined && task.state !== 'complete';
}

/** What a task read, and what it wrote if it got that far. */
export function taskFlow({ inputs, outputs, state }: TaskRecord): DataFlow {
  return { inputs: distinct(inputs), outputs: state === 'done' ? distinct(outputs) : [] };
}

/**
 * What the run as a whole read and wrote. Written is the output of each task that ran to its end in this run: the output of
 * a task that was already complete was written by another run. Read is what its tasks read and none of them wrote.
 */
export function runFlow({ tasks }: RunOutcome): DataFlow {
  const flows = tasks.filter(hasRun).map(taskFlow);
  const outputs = distinct(flows.flatMap((flow) => flow.outputs));
  const written = new Set(outputs.map(key));
  return { inputs: distinct(flows.flatMap((flow) => flow.inputs)).filter((read) => !written.has(key(read))), outputs };
}

function distinct(datasets: readonly (Dataset | DatasetName)[]): DatasetName[] {
  const found = new Map<string, DatasetName>();
  for (const { namespace, name } of datasets) {
    if (namespace && name) found.set(key({ namespace, name }), { namespace, name });
  }
  return [...found.values()];
}

function key({ namespace, name }: DatasetName): string {
  return JSON.stringify([namespace, name]);
}
