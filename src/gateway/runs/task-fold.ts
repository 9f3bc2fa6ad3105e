import type { RunUpdate, TaskRecord } from '#core/run.ts';
import type { RunStore } from './run-store.ts';

const PAGE = 500;

/** What is known of each task of a run, by its stored updates, in the order in which the tasks were first told. */
export async function foldTasks(runs: RunStore, id: string): Promise<readonly TaskRecord[]> {
  const tasks = new Map<string, TaskRecord>();
  for (let after = 0; ; ) {
    const page = await runs.updates(id, after, PAGE);
    for (const { update } of page) fold(tasks, update);
    if (page.length < PAGE) return [...tasks.values()];
    after = page.at(-1)?.sequence ?? after;
  }
}

function fold(tasks: Map<string, TaskRecord>, update: RunUpdate): void {
  if (update.kind === 'task' || update.kind === 'status') tasks.set(update.task.id, update.task);
  // A further attempt tells its tasks anew.
  if (update.kind === 'state' && update.state === 'queued') tasks.clear();
}
