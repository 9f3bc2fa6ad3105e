import type { TaskState } from '#core/run.ts';
import { oneLine } from '#core/task-name.ts';

/** A state of Airflow in our words. */
export interface TaskReading {
  readonly state: TaskState;
  /** What a person wants to know beyond the state. */
  readonly message: string | undefined;
}

export const AWAITS_PERSON = 'waits for the answer of a person in Airflow (awaiting_input)';

/** `TaskInstanceState` of Airflow 2.11 and 3.3; `none` is the state of a task that nobody has looked at. */
const READINGS: Readonly<Record<string, readonly [TaskState, string?]>> = {
  none: ['pending'],
  scheduled: ['pending', 'can start, and waits for a slot'],
  queued: ['pending', 'waits for a worker'],
  up_for_retry: ['pending', 'failed, and waits for its next try'],
  running: ['running'],
  deferred: ['running', 'waits for its trigger (deferred)'],
  up_for_reschedule: ['running', 'looks again later (up_for_reschedule)'],
  awaiting_input: ['running', AWAITS_PERSON],
  restarting: ['running', 'is being restarted'],
  success: ['done'],
  failed: ['failed'],
  upstream_failed: ['blocked'],
  skipped: ['skipped'],
  removed: ['skipped', 'is no longer part of the DAG'],
};

const WORD_LENGTH = 60;

/**
 * What the state of a task instance means. A word that this version does not know is not at its end while the run goes.
 * @param hasEnded the run has: what is not at its end then never will be
 */
export function readTaskState(word: string | undefined, hasEnded: boolean): TaskReading {
  const name = word ?? 'none';
  const known = Object.hasOwn(READINGS, name) ? READINGS[name] : undefined;
  const [state, message] = known ?? ['running', oneLine(name, WORD_LENGTH)];
  if (hasEnded && state === 'running')
    return { state: 'unknown', message: `was ${oneLine(name, WORD_LENGTH)} when the run ended` };
  return { state, message };
}

const AT_END: ReadonlySet<TaskState> = new Set(['done', 'failed', 'blocked', 'skipped']);

/** Whether a task in this state is done with, one way or the other. */
export function isAtEnd(state: TaskState): boolean {
  return AT_END.has(state);
}
