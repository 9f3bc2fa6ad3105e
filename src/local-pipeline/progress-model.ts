import type { PipelineEvent } from './pipeline-listener.ts';
import type { DetailRecord, StepRecord } from './step-record.ts';

/** How a row stands; skipped and waiting ones are told apart. */
export type RowState = 'waiting' | 'running' | 'succeeded' | 'issues' | 'failed' | 'canceled' | 'skipped';

/** One line of the table: a job, a step, or a task inside a step. */
export interface ProgressRow {
  readonly depth: 0 | 1 | 2;
  readonly state: RowState;
  readonly text: string;
  readonly durationMs: number | undefined;
  readonly note: string;
}

interface JobView {
  readonly name: string;
  readonly steps: readonly StepRecord[];
  ended: boolean;
}

const RESULTS: Readonly<Record<string, RowState>> = {
  Succeeded: 'succeeded',
  SucceededWithIssues: 'issues',
  Failed: 'failed',
  Canceled: 'canceled',
  Abandoned: 'canceled',
  Skipped: 'skipped',
};

/** What the table shows, gathered from the events of a run. */
export class ProgressModel {
  readonly #jobs: JobView[] = [];

  apply(event: PipelineEvent): void {
    if (event.kind === 'job-started') this.#jobs.push({ name: event.job, steps: event.steps, ended: false });
    if (event.kind === 'job-ended') for (const job of this.#jobs) job.ended ||= job.name === event.job;
  }

  /** `most` limits the tasks shown of one step: failed and running ones first, the rest counted. */
  rows(now: number, most: number): ProgressRow[] {
    return this.#jobs.flatMap((job) => [
      {
        depth: 0,
        state: job.ended ? worst(job.steps) : 'running',
        text: job.name,
        durationMs: undefined,
        note: '',
      } satisfies ProgressRow,
      ...job.steps.flatMap((step) => [stepRow(step, now), ...detailRows(step, now, most)]),
    ]);
  }
}

function stepState({ result, startedAt, endedAt }: StepRecord): RowState {
  if (endedAt !== undefined) return RESULTS[result ?? 'Succeeded'] ?? 'succeeded';
  return startedAt === undefined ? 'waiting' : 'running';
}

function worst(steps: readonly StepRecord[]): RowState {
  const order: readonly RowState[] = ['failed', 'canceled', 'issues'];
  return order.find((state) => steps.some((step) => stepState(step) === state)) ?? 'succeeded';
}

function stepRow(step: StepRecord, now: number): ProgressRow {
  const { startedAt, endedAt, progress, currentOperation } = step;
  const state = stepState(step);
  const durationMs = startedAt === undefined || state === 'skipped' ? undefined : (endedAt ?? now) - startedAt;
  const percent = progress > 0 && progress < 100 ? `${progress} % ` : '';
  return {
    depth: 1,
    state,
    text: step.displayName,
    durationMs,
    note: state === 'running' ? percent + (currentOperation ?? '') : '',
  };
}

function detailState({ state, result }: DetailRecord): RowState {
  if (state === 'Completed') return RESULTS[result ?? 'Succeeded'] ?? 'succeeded';
  return state === 'Pending' ? 'waiting' : 'running';
}

const URGENCY: readonly RowState[] = ['failed', 'canceled', 'running', 'issues', 'waiting', 'succeeded', 'skipped'];

function detailRows({ details }: StepRecord, now: number, most: number): ProgressRow[] {
  const all = [...details.values()].sort((a, b) => (a.order ?? 0) - (b.order ?? 0));
  const urgent = all
    .toSorted((a, b) => URGENCY.indexOf(detailState(a)) - URGENCY.indexOf(detailState(b)))
    .slice(0, most);
  const rows = all.filter((detail) => urgent.includes(detail)).map((detail) => detailRow(detail, now));
  const left = all.length - rows.length;
  if (left === 0) return rows;
  return [...rows, { depth: 2, state: 'skipped', text: `and ${left} more`, durationMs: undefined, note: '' }];
}

function detailRow(detail: DetailRecord, now: number): ProgressRow {
  const { name, currentOperation = '' } = detail;
  const state = detailState(detail);
  return {
    depth: 2,
    state,
    text: name,
    durationMs: duration(detail, state, now),
    note: currentOperation === name ? '' : currentOperation,
  };
}

/** Unknown for a task that has not begun, and for one that was over when it was first heard of. */
function duration({ startTime = '', finishTime }: DetailRecord, state: RowState, now: number): number | undefined {
  if (state === 'waiting' || (state !== 'running' && finishTime === undefined)) return undefined;
  const end = finishTime === undefined ? now : Date.parse(finishTime);
  const ms = end - Date.parse(startTime);
  return Number.isNaN(ms) ? undefined : Math.max(ms, 0);
}
