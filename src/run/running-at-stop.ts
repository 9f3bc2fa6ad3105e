import type { RunUpdate, TaskRecord } from '#core/run.ts';

/**
 * The tasks that were running in the moment of the request to stop. What happened before that moment may be told after it: the
 * news of a task's start, or of its end, is on its way while the request is made.
 */
export class RunningAtStop {
  #stoppedAt: number | undefined;
  readonly #tasks = new Map<string, TaskRecord>();

  /** Now the request is made; `known`: every task as it was told until now. */
  begin(known: Iterable<TaskRecord>): void {
    this.#stoppedAt = Date.now();
    for (const task of known) if (task.state === 'running') this.#tasks.set(task.id, task);
  }

  /** Takes what is told after the request; what is told before it is in `known`. */
  take({ task, at }: Extract<RunUpdate, { kind: 'task' }>): void {
    if (this.#stoppedAt === undefined || at > this.#stoppedAt) return;
    if (task.state === 'running') this.#tasks.set(task.id, task);
    // One that died may have died of the request, by a clock that is behind ours.
    else if (task.state !== 'died') this.#tasks.delete(task.id);
  }

  tasks(): readonly TaskRecord[] {
    return [...this.#tasks.values()];
  }
}
