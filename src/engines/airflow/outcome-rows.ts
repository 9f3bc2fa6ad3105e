import type { ErrorCode } from '#core/errors.ts';
import type { RunOutcome } from '#core/run.ts';

/** What is known of a run that is over for whoever follows it; docs/outcomes.md says what each value means. */
export interface Dimensions {
  /** The run's own state, or why nobody knows it. */
  readonly word: 'success' | 'failed' | 'lost' | 'deleted' | 'refused';
  /** We stopped it, and why, by the run's note. */
  readonly stop: 'no' | 'cancelled' | 'deadline';
  /** It has left the queue. */
  readonly began: 'yes' | 'no';
  /** What its task instances say, all of them read after the end. */
  readonly tasks: 'good' | 'failed' | 'open' | 'none' | 'unread';
  readonly failOnTaskFailure: 'yes' | 'no';
}

export const DIMENSIONS: { readonly [Name in keyof Dimensions]: readonly Dimensions[Name][] } = {
  word: ['success', 'failed', 'lost', 'deleted', 'refused'],
  stop: ['no', 'cancelled', 'deadline'],
  began: ['yes', 'no'],
  tasks: ['good', 'failed', 'open', 'none', 'unread'],
  failOnTaskFailure: ['yes', 'no'],
};

export interface OutcomeRow {
  readonly name: string;
  readonly when: { readonly [Name in keyof Dimensions]?: readonly Dimensions[Name][] };
  readonly state: RunOutcome['state'];
  readonly verified: RunOutcome['verified'];
  /** Of the finding that the run itself gets; failed tasks have their own. */
  readonly code: ErrorCode | undefined;
  /** Of what is found, tasks included. */
  readonly severity: 'error' | 'warning';
}

const SEEN = ['success', 'failed'] as const;

/** How a DAG run ends for a step. Every combination of evidence matches exactly one row. */
export const OUTCOME_ROWS: readonly OutcomeRow[] = [
  row('lost', { word: ['lost'] }, 'lost', 'unknown', 'ERR_RUN_LOST'),
  row('deleted', { word: ['deleted'] }, 'lost', 'unknown', 'ERR_RUN_LOST'),
  row('refused', { word: ['refused'] }, 'lost', 'unknown', 'ERR_RUN_LOST'),
  row('cancelled', { word: SEEN, stop: ['cancelled'] }, 'cancelled', 'unknown', 'ERR_RUN_CANCELLED'),
  row('deadline', { word: SEEN, stop: ['deadline'], began: ['yes'] }, 'deadline', 'unknown', 'ERR_RUN_DEADLINE'),
  row('queued', { word: SEEN, stop: ['deadline'], began: ['no'] }, 'deadline', 'unknown', 'ERR_RUN_QUEUED'),
  row('task-failed', { word: ['failed'], stop: ['no'], tasks: ['failed'] }, 'failed', 'refuted', undefined),
  row(
    'failed-by-itself',
    { word: ['failed'], stop: ['no'], tasks: ['good', 'open', 'none'] },
    'failed',
    'refuted',
    'ERR_RUN_FAILED',
  ),
  row('failed-unread', { word: ['failed'], stop: ['no'], tasks: ['unread'] }, 'failed', 'refuted', 'ERR_RUN_FAILED'),
  row(
    'nothing-ran',
    { word: ['success'], stop: ['no'], tasks: ['none'] },
    'succeeded',
    'unverifiable',
    'ERR_RUN_UNVERIFIED',
  ),
  row('succeeded', { word: ['success'], stop: ['no'], tasks: ['good'] }, 'succeeded', 'confirmed', undefined),
  row(
    'hidden-failure',
    { word: ['success'], stop: ['no'], tasks: ['failed'], failOnTaskFailure: ['no'] },
    'succeeded',
    'confirmed',
    undefined,
  ),
  row(
    'hidden-failure-red',
    { word: ['success'], stop: ['no'], tasks: ['failed'], failOnTaskFailure: ['yes'] },
    'failed',
    'refuted',
    undefined,
  ),
  row(
    'unverified',
    { word: ['success'], stop: ['no'], tasks: ['open', 'unread'], failOnTaskFailure: ['no'] },
    'succeeded',
    'unknown',
    'ERR_RUN_UNVERIFIED',
  ),
  row(
    'unverified-red',
    { word: ['success'], stop: ['no'], tasks: ['open', 'unread'], failOnTaskFailure: ['yes'] },
    'lost',
    'unknown',
    'ERR_RUN_UNVERIFIED',
  ),
];

function row(
  name: string,
  when: OutcomeRow['when'],
  state: OutcomeRow['state'],
  verified: OutcomeRow['verified'],
  code: OutcomeRow['code'],
): OutcomeRow {
  return { name, when, state, verified, code, severity: state === 'succeeded' ? 'warning' : 'error' };
}

/** Every row that matches; there is always exactly one. */
export function matchingRows(dimensions: Dimensions): readonly OutcomeRow[] {
  const names = Object.keys(DIMENSIONS) as (keyof Dimensions)[];
  return OUTCOME_ROWS.filter(({ when }) =>
    names.every((name) => (when[name] as readonly string[] | undefined)?.includes(dimensions[name]) ?? true),
  );
}

export function outcomeRow(dimensions: Dimensions): OutcomeRow {
  const [only, ...others] = matchingRows(dimensions);
  if (only && others.length === 0) return only;
  throw new TypeError(`No single outcome for ${JSON.stringify(dimensions)}.`);
}
