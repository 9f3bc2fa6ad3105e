import { randomUUID } from 'node:crypto';
import type { Host } from '#core/host.ts';
import type { RunUpdate, TaskRecord, TaskState } from '#core/run.ts';
import { taskLine, taskRow } from './narrate.ts';

/** Rows of the step's own; a graph of thousands of tasks is told in the log and in the report. */
const MOST_ROWS = 100;
const OPEN: ReadonlySet<TaskState> = new Set(['pending', 'running']);

/** Shows a run in the log, as rows and as a percentage while it goes on. */
export class RunView {
  readonly #host: Host;
  readonly #states = new Map<string, TaskState>();
  readonly #rows = new Map<string, { readonly id: string; readonly order: number }>();
  readonly #messages = new Map<string, string>();
  #ended = 0;
  #percent = -1;

  constructor(host: Host) {
    this.#host = host;
  }

  show(update: RunUpdate): void {
    if (update.kind !== 'task' && update.kind !== 'status') return;
    if (update.kind === 'task' || this.#isNews(update.task)) this.#say(update);
    if (update.kind === 'task') this.#count(update.task);
  }

  #say(update: Parameters<typeof taskLine>[0]): void {
    const line = taskLine(update);
    if (line !== undefined) this.#host.log.info(line);
  }

  /** A message is told once, not again with each step of the progress beside it. */
  #isNews({ id, statusMessage = '' }: TaskRecord): boolean {
    const isNews = this.#messages.get(id) !== statusMessage;
    this.#messages.set(id, statusMessage);
    return isNews;
  }

  #count(task: TaskRecord): void {
    const before = this.#states.get(task.id);
    this.#ended += Number(!OPEN.has(task.state)) - Number(before !== undefined && !OPEN.has(before));
    this.#states.set(task.id, task.state);
    if (task.state !== 'pending') this.#row(task);
    this.#progress();
  }

  #row(task: TaskRecord): void {
    const known = this.#rows.get(task.id);
    if (known === undefined && this.#rows.size >= MOST_ROWS) return;
    const row = known ?? { id: randomUUID(), order: this.#rows.size + 1 };
    this.#rows.set(task.id, row);
    this.#host.progress.detail(taskRow(task, row.id, row.order));
  }

  #progress(): void {
    const total = this.#states.size;
    const percent = Math.floor((100 * this.#ended) / total);
    if (percent === this.#percent) return;
    this.#percent = percent;
    this.#host.progress.report(percent, `${this.#ended} of ${total} tasks`);
  }
}
