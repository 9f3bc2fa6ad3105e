import type { PlumblineError } from '#core/errors.ts';
import type { Finding, RunOutcome, TaskRecord } from '#core/run.ts';
import { oneLine, taskName } from '#core/task-name.ts';
import { type Dimensions, type OutcomeRow, outcomeRow } from './outcome-rows.ts';
import { isAtEnd } from './task-states.ts';

/** A run that is over, or that can be followed no further. */
export interface EndedDagRun {
  readonly dagId: string;
  readonly runId: string;
  readonly airflow: string;
  readonly version: string;
  readonly word: Dimensions['word'];
  readonly stop: Dimensions['stop'];
  readonly began: boolean;
  readonly failOnTaskFailure: boolean;
  readonly tasks: readonly TaskRecord[];
  /** Why the task instances could not be read after the end; absent when they were. */
  readonly unread?: string | undefined;
  /** What ended the following, or why it is not known how the run ended. */
  readonly because?: PlumblineError | undefined;
  /** For how long the server has not answered. Milliseconds. */
  readonly awayMs?: number | undefined;
  /** Why it stayed queued. */
  readonly queued?: QueuedTooLong | undefined;
  /** Findings about what could not be read. */
  readonly notes: readonly Finding[];
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly adopted: boolean;
}

export interface QueuedTooLong {
  /** How long it was let wait. Milliseconds. */
  readonly limitMs: number;
  readonly reasons: readonly string[];
}

const ADAPTER_VERSION = '1';
const MESSAGE_LENGTH = 500;
const REASON_LENGTH = 300;
const MOST_FINDINGS = 50;

/** How a run ended for a step. */
export function concludeDagRun(run: EndedDagRun): RunOutcome {
  const row = outcomeRow(dimensionsOf(run));
  const summary = says(row, run);
  const { tasks, startedAt, endedAt, adopted, version } = run;
  return {
    state: row.state,
    verified: row.verified,
    summary,
    tasks,
    findings: [...ownFinding(row, run, summary), ...refusal(run), ...taskFindings(row, run), ...run.notes],
    startedAt,
    endedAt,
    engine: { name: 'airflow', version, adapterVersion: ADAPTER_VERSION },
    adopted,
  };
}

function dimensionsOf({ word, stop, began, failOnTaskFailure, tasks, unread }: EndedDagRun): Dimensions {
  return {
    word,
    stop,
    began: began ? 'yes' : 'no',
    tasks: unread === undefined ? tasksSay(tasks) : 'unread',
    failOnTaskFailure: failOnTaskFailure ? 'yes' : 'no',
  };
}

function tasksSay(tasks: readonly TaskRecord[]): Dimensions['tasks'] {
  if (tasks.length === 0) return 'none';
  if (tasks.some(({ state }) => state === 'failed')) return 'failed';
  return tasks.every(({ state }) => isAtEnd(state)) ? 'good' : 'open';
}

type Says = (run: EndedDagRun) => string;

const SAYS: Readonly<Record<string, Says>> = {
  lost: ({ awayMs, because, ...run }) =>
    `Nobody can say how ${nameOf(run)} ends: ${run.airflow} has not told of it for ${Math.round((awayMs ?? 0) / 1_000)} s (${reasonOf(because)})`,
  deleted: (run) => `Nobody can say how ${nameOf(run)} ended: it was deleted in ${run.airflow} while it was followed`,
  refused: ({ because, ...run }) => `Nobody can say how ${nameOf(run)} ends: ${reasonOf(because)}`,
  cancelled: (run) => `${nameOf(run)} was cancelled${countsOf(run)}`,
  deadline: (run) => `${nameOf(run)} was stopped because its time was up${countsOf(run)}`,
  queued: (run) => `${nameOf(run)} was stopped before it began: ${whyQueued(run)}`,
  'task-failed': (run) => `${nameOf(run)} failed${countsOf(run)}`,
  'failed-by-itself': (run) =>
    `Airflow says that ${nameOf(run)} failed, and none of its tasks did${countsOf(run)}: somebody set its state, or its dagrun_timeout was over`,
  'failed-unread': (run) => `${nameOf(run)} failed, and its tasks could not be read: ${run.unread}`,
  'nothing-ran': (run) => `${nameOf(run)} succeeded for Airflow without a single task in it`,
  succeeded: (run) => `${nameOf(run)} succeeded${countsOf(run)}`,
  'hidden-failure': (run) => `${nameOf(run)} succeeded for Airflow, with failed tasks in it${countsOf(run)}`,
  'hidden-failure-red': (run) =>
    `${nameOf(run)} succeeded for Airflow, with failed tasks in it${countsOf(run)}, and failOnTaskFailure is set`,
  unverified: (run) => `${nameOf(run)} succeeded for Airflow, and ${whyUnverified(run)}`,
  'unverified-red': (run) =>
    `${nameOf(run)} succeeded for Airflow, but failOnTaskFailure is set and ${whyUnverified(run)}`,
};

const LOOK =
  'It may still be going: look at it in Airflow before you start it again, or run the job again, which takes it over.';
const REMEDIES: Readonly<Record<string, string>> = {
  lost: LOOK,
  refused: LOOK,
  deleted: 'See in the audit log of Airflow who deleted it; run the job again to start another.',
  queued: 'Mend what it waits for, or raise the input queuedTimeout.',
  deadline: 'Raise the input timeout, or see why its tasks take so long.',
  'failed-by-itself': "See the run's events in the audit log of Airflow.",
  'nothing-ran':
    "Give a logicalDate that is not before the DAG's start_date: Airflow ends such a run at once; or see whether the DAG has tasks.",
  unverified: 'Let the user of the connection read task instances, and look at the run in Airflow.',
  'unverified-red': 'Let the user of the connection read task instances, and look at the run in Airflow.',
};

function says({ name }: OutcomeRow, run: EndedDagRun): string {
  const text = (SAYS[name] as Says)(run);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function ownFinding({ code, name, severity }: OutcomeRow, _: EndedDagRun, message: string): readonly Finding[] {
  return code === undefined ? [] : [{ severity, code, message, remedy: REMEDIES[name] }];
}

/** What the server or an identity refused has a code and a remedy of its own. */
function refusal({ word, because }: EndedDagRun): readonly Finding[] {
  if (word !== 'refused' || because === undefined) return [];
  return [{ severity: 'error', code: because.code, message: because.message, remedy: because.remedy }];
}

/** A finding for every task that failed; of a run that we stopped they are our own doing. */
function taskFindings({ severity, state }: OutcomeRow, { tasks }: EndedDagRun): readonly Finding[] {
  if (state === 'cancelled' || state === 'deadline') return [];
  const failed = tasks.filter((task) => task.state === 'failed');
  const more = failed.length - MOST_FINDINGS;
  return [
    ...failed.slice(0, MOST_FINDINGS).map((task) => taskFinding(task, severity)),
    ...(more > 0 ? [{ severity, code: 'ERR_RUN_TASK_FAILED', message: `${more} more tasks failed` } as const] : []),
  ];
}

function taskFinding(task: TaskRecord, severity: Finding['severity']): Finding {
  const { failure, attempts } = task;
  const tries = attempts > 1 ? ` after ${attempts} tries` : '';
  return {
    severity,
    code: 'ERR_RUN_TASK_FAILED',
    message: `${taskName(task)} failed${tries}${failure ? `: ${whyFailed(failure)}` : ''}`,
    taskId: task.id,
    frame: failure?.frame,
  };
}

/** No name of an exception has a space in it. */
function whyFailed({ type, message }: NonNullable<TaskRecord['failure']>): string {
  const said = oneLine(message, MESSAGE_LENGTH);
  if (type.includes(' ')) return said;
  return said ? `${type}: ${said}` : type;
}

function nameOf({ dagId, runId }: Pick<EndedDagRun, 'dagId' | 'runId'>): string {
  return `the run ${runId} of the DAG ${dagId}`;
}

const COUNTED = ['done', 'failed', 'blocked', 'skipped', 'unknown', 'pending', 'running'] as const;

function countsOf({ tasks, unread }: EndedDagRun): string {
  if (unread !== undefined || tasks.length === 0) return '';
  const counts = COUNTED.map((state) => [state, tasks.filter((task) => task.state === state).length] as const);
  return ` (${counts.flatMap(([state, count]) => (count > 0 ? [`${count} ${state}`] : [])).join(', ')})`;
}

function whyQueued({ queued }: EndedDagRun): string {
  if (queued === undefined) return 'its time was up while it was queued';
  const seconds = Math.round(queued.limitMs / 1_000);
  const why = queued.reasons.length > 0 ? queued.reasons.join('; ') : 'Airflow does not tell why';
  return `it was queued for more than ${seconds} s: ${why}`;
}

function whyUnverified({ unread, tasks }: EndedDagRun): string {
  if (unread !== undefined) return `nobody can say whether tasks in it failed: they could not be read (${unread})`;
  const open = tasks.filter(({ state }) => !isAtEnd(state));
  return `${open.length} of its tasks had not come to an end: ${open.slice(0, 5).map(taskName).join(', ')}${open.length > 5 ? ', …' : ''}`;
}

function reasonOf(error: PlumblineError | undefined): string {
  return oneLine(error?.message ?? 'no reason was given', REASON_LENGTH);
}
