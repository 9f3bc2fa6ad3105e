import type { RunOutcome, TaskState } from '#core/run.ts';

/** How a state is shown wherever a report is: a sign and words. */
export interface StateWords {
  readonly sign: string;
  readonly words: string;
}

export const TASK_WORDS: Readonly<Record<TaskState, StateWords>> = {
  failed: { sign: '❌', words: 'failed' },
  died: { sign: '❌', words: 'process died' },
  unschedulable: { sign: '❌', words: 'could not be scheduled' },
  missing: { sign: '❌', words: 'missing input' },
  disabled: { sign: '❌', words: 'given up after its retries' },
  running: { sign: '❔', words: 'running when last seen' },
  unknown: { sign: '❔', words: 'unknown' },
  blocked: { sign: '⛔', words: 'could not run' },
  elsewhere: { sign: '⛔', words: 'runs in another worker' },
  skipped: { sign: '⏭️', words: 'skipped' },
  pending: { sign: '▫️', words: 'not started' },
  done: { sign: '✅', words: 'done' },
  complete: { sign: '☑️', words: 'already complete' },
};

/** From what needs a look to what does not. */
export const STATES_BY_URGENCY = Object.keys(TASK_WORDS) as readonly TaskState[];

export const RUN_WORDS: Readonly<Record<RunOutcome['state'], StateWords>> = {
  succeeded: { sign: '✅', words: 'succeeded' },
  failed: { sign: '❌', words: 'failed' },
  cancelled: { sign: '⏹️', words: 'was cancelled' },
  lost: { sign: '❔', words: 'ended unknown' },
  deadline: { sign: '⏱️', words: 'ran out of time' },
};

type VerifiedSentences = Readonly<Record<RunOutcome['verified'], string>>;

const OF_LUIGI: VerifiedSentences = {
  confirmed: 'Verified: after the run the root task was asked again, and it is complete.',
  unverifiable:
    'Not verifiable: the root task has neither an output nor a `complete()` of its own, so nobody can ask it.',
  refuted: 'Refuted: after the run the root task was asked again, and it is not complete.',
  unknown: 'Not verified: nobody could ask the root task whether it is complete.',
};

const OF_AIRFLOW: VerifiedSentences = {
  confirmed: 'Verified: after the end the state of the run and of every task instance was read from Airflow.',
  unverifiable: 'Not verifiable: Airflow does not give the states of the task instances.',
  refuted: 'Refuted: after the end Airflow gave another state of the run.',
  unknown: 'Not verified: after the end nobody could read the states of all task instances from Airflow.',
};

/** How certain it is that the run ended as it says. */
export function verifiedSentence({
  verified,
  engine,
}: Pick<RunOutcome, 'verified'> & { engine: { name: string } }): string {
  return (engine.name === 'airflow' ? OF_AIRFLOW : OF_LUIGI)[verified];
}
