import type { ErrorCode } from '#core/errors.ts';
import type { RunOutcome } from '#core/run.ts';
import type { Dimensions } from './evidence.ts';
import { because, death, leftovers, type OutcomeFacts, rejection, rootSays, whileRunning } from './outcome-words.ts';

type Pattern = { readonly [Name in keyof Dimensions]?: readonly Dimensions[Name][] };

export interface OutcomeRow {
  /** Also the anchor in docs/outcomes.md. */
  readonly id: string;
  readonly when: Pattern;
  readonly state: RunOutcome['state'];
  /** Absent: green without reservation. `refusal`: the code that the worker gave. */
  readonly code?: ErrorCode | 'refusal';
  readonly says: (facts: OutcomeFacts) => string;
  readonly remedy?: string;
}

const NOT_STOPPED = { stop: ['no'], word: ['none'] } as const satisfies Pattern;
const ENDED = ['zero', 'flush', 'status', 'signal'] as const;
const ZERO = { ...NOT_STOPPED, process: ['zero', 'flush'], verdict: ['0'] } as const satisfies Pattern;
const CLEAN = { ...ZERO, account: ['whole'] } as const satisfies Pattern;

const judged = (...verdict: Dimensions['verdict'][]): Pattern => ({ ...NOT_STOPPED, process: ENDED, verdict });

const STILL_GOING =
  'It may still be going: look for processes with its id in the environment (PLUMBLINE_RUN_ID) on the agent.';

const IDENTITY_REMEDY =
  "See in the gateway's audit why, and correct its policy if the task may have the token; a run that is over gets none.";

/**
 * The whole decision, docs/outcomes.md in code: every combination of the dimensions matches exactly one row. Green needs all
 * of it: an exit record with status 0 (or 120: Python could not flush standard output after everything was done), the
 * worker's last event with Luigi's own status 0, the root's answer, and an account of the run without a gap.
 */
export const OUTCOME_ROWS: readonly OutcomeRow[] = [
  {
    id: 'cancelled',
    when: { stop: ['cancelled'], process: [...ENDED, 'absent'] },
    state: 'cancelled',
    code: 'ERR_RUN_CANCELLED',
    says: ({ run, evidence }) => `${run} was cancelled: it has stopped${leftovers(evidence)}`,
  },
  {
    id: 'cancel-unconfirmed',
    when: { stop: ['cancelled'], process: ['unseen'] },
    state: 'cancelled',
    code: 'ERR_RUN_CANCELLED',
    says: ({ run }) => `${run} was cancelled: it was asked to stop and did not confirm`,
    remedy: STILL_GOING,
  },
  {
    id: 'deadline',
    when: { stop: ['deadline'], process: [...ENDED, 'absent'] },
    state: 'deadline',
    code: 'ERR_RUN_DEADLINE',
    says: (facts) => `${facts.run} was stopped: its time was up${whileRunning(facts)}`,
    remedy: 'Raise the input timeout, or see why these tasks take so long.',
  },
  {
    id: 'deadline-unconfirmed',
    when: { stop: ['deadline'], process: ['unseen'] },
    state: 'deadline',
    code: 'ERR_RUN_DEADLINE',
    says: (facts) => `${facts.run} was asked to stop and did not confirm: its time was up${whileRunning(facts)}`,
    remedy: STILL_GOING,
  },
  {
    id: 'foreign-protocol',
    when: { stop: ['no'], word: ['foreign'] },
    state: 'lost',
    code: 'ERR_WORKER_PROTOCOL',
    says: ({ run, evidence }) => `${run} cannot be followed: its worker speaks protocol ${evidence.foreign}, not 1`,
    remedy: 'Let nothing on PYTHONPATH replace the plumbline_luigi that belongs to this task.',
  },
  {
    id: 'refused',
    when: { stop: ['no'], word: ['refused'] },
    state: 'failed',
    code: 'refusal',
    says: ({ run, evidence }) => `${run} was not started: ${evidence.refused?.message}`,
  },
  {
    id: 'identity-rejected',
    when: { stop: ['no'], word: ['rejected'], process: [...ENDED, 'absent'] },
    state: 'failed',
    code: 'ERR_IDENTITY_REJECTED',
    says: (facts) => `${facts.run} was ended at once: ${rejection(facts)}`,
    remedy: IDENTITY_REMEDY,
  },
  {
    id: 'identity-rejected-unconfirmed',
    when: { stop: ['no'], word: ['rejected'], process: ['unseen'] },
    state: 'failed',
    code: 'ERR_IDENTITY_REJECTED',
    says: (facts) => `${facts.run} was to be ended at once and did not confirm: ${rejection(facts)}`,
    remedy: STILL_GOING,
  },
  {
    id: 'lost',
    when: { ...NOT_STOPPED, process: ['unseen'] },
    state: 'lost',
    code: 'ERR_RUN_LOST',
    says: ({ run, runDirectory }) => `${run} was lost: its supervisor left no exit record in ${runDirectory}`,
    remedy: STILL_GOING,
  },
  {
    id: 'never-began',
    when: { ...NOT_STOPPED, process: ['absent'] },
    state: 'failed',
    code: 'ERR_RUN_DIED',
    says: ({ run, evidence }) =>
      `${run} did not begin: Python ended with status ${evidence.supervisorStatus} before the worker could speak`,
    remedy: 'Its standard error, above in this log, says why.',
  },
  {
    id: 'stalled',
    when: { ...NOT_STOPPED, process: ENDED, verdict: ['none'], stalled: ['yes'] },
    state: 'failed',
    code: 'ERR_RUN_STALLED',
    says: ({ run }) => `${run} stood still: no task process was alive and Luigi waited for a result that never comes`,
    remedy: 'Do not close or write to descriptors that the task did not open, and do not leave a task by os._exit.',
  },
  {
    id: 'killed',
    when: { ...NOT_STOPPED, process: ['signal'], verdict: ['none'], stalled: ['no'] },
    state: 'failed',
    code: 'ERR_RUN_DIED',
    says: ({ run, evidence }) => `${run} died: ${death(evidence)}`,
    remedy: 'See whether the machine ran out of memory, and what else ends processes there.',
  },
  {
    id: 'left-early',
    when: { ...NOT_STOPPED, process: ['zero', 'flush', 'status'], verdict: ['none'], stalled: ['no'] },
    state: 'failed',
    code: 'ERR_RUN_DIED',
    says: ({ run, evidence }) =>
      `${run} ended with status ${evidence.record?.code} in the middle: the worker's last event is missing`,
    remedy: "See whether the user's code leaves the interpreter (sys.exit at import, os._exit), or the disk is full.",
  },
  {
    id: 'killed-at-end',
    when: { ...NOT_STOPPED, process: ['signal'], verdict: ['0'] },
    state: 'failed',
    code: 'ERR_RUN_DIED',
    says: ({ run, evidence }) => `${run} died after its last task: ${death(evidence)}`,
    remedy: "See what the user's code does when the interpreter ends.",
  },
  {
    id: 'status-changed',
    when: { ...NOT_STOPPED, process: ['status'], verdict: ['0'] },
    state: 'failed',
    code: 'ERR_RUN_DIED',
    says: ({ run, evidence }) => `${run} ended with status ${evidence.record?.code}: something changed Luigi's own, 0`,
    remedy: "See what the user's code does when the interpreter ends (atexit).",
  },
  {
    id: 'already-running',
    when: judged('10'),
    state: 'failed',
    code: 'ERR_RUN_ALREADY_RUNNING',
    says: ({ run, evidence }) => `${run} was not done here: another worker holds its tasks${rootSays(evidence)}`,
    remedy: 'Run it again when the other worker is done.',
  },
  {
    id: 'missing-input',
    when: judged('20'),
    state: 'failed',
    code: 'ERR_RUN_MISSING_INPUT',
    says: ({ run }) => `${run} could not be completed: external inputs are missing`,
  },
  {
    id: 'not-run',
    when: judged('25'),
    state: 'failed',
    code: 'ERR_RUN_NOT_RUN',
    says: ({ run }) => `${run} was not run: the scheduler gave no permission for tasks of it`,
    remedy: 'Look for a cycle of dependencies, for resources that are taken, and for tasks that were given up.',
  },
  {
    id: 'task-failed',
    when: judged('30'),
    state: 'failed',
    code: 'ERR_RUN_FAILED',
    says: ({ run }) => `${run} failed: tasks of it failed`,
  },
  {
    id: 'scheduling',
    when: judged('35'),
    state: 'failed',
    code: 'ERR_RUN_SCHEDULING',
    says: ({ run }) => `${run} could not be scheduled: requires(), output() or complete() of a task raised`,
  },
  {
    id: 'unhandled',
    when: judged('40'),
    state: 'failed',
    code: 'ERR_RUN_FAILED',
    says: ({ run }) => `${run} was broken off: Luigi met an exception that it does not handle`,
    remedy: 'The traceback stands above in this log; an event handler or a broken __str__ can be the cause.',
  },
  {
    id: 'other-verdict',
    when: judged('other'),
    state: 'failed',
    code: 'ERR_RUN_FAILED',
    says: ({ run, evidence }) => `${run} failed: Luigi ended with status ${evidence.bye}`,
  },
  {
    id: 'torn',
    when: { ...ZERO, root: ['complete', 'unverifiable'], account: ['torn'] },
    state: 'lost',
    code: 'ERR_RUN_LOST',
    says: ({ run }) => `${run} ended without a failure, but its events do not account for it: some are missing`,
    remedy: 'See whether the disk of the agent is full, and whether anything but the worker writes to its event file.',
  },
  {
    id: 'succeeded',
    when: { ...CLEAN, root: ['complete'], ran: ['yes'] },
    state: 'succeeded',
    says: ({ run }) => `${run} succeeded: its root task is complete`,
  },
  {
    id: 'nothing-to-run',
    when: { ...CLEAN, root: ['complete'], ran: ['no'] },
    state: 'succeeded',
    says: ({ run }) => `${run} was already complete: nothing had to run`,
  },
  {
    id: 'unverifiable',
    when: { ...CLEAN, root: ['unverifiable'] },
    state: 'succeeded',
    code: 'ERR_RUN_UNVERIFIED',
    says: ({ run }) =>
      `${run} ended without a failure, but cannot be verified: its root task has neither output() nor complete()`,
    remedy: 'Give the root task an output() or a complete() of its own.',
  },
  {
    id: 'incomplete',
    when: { ...ZERO, root: ['incomplete'] },
    state: 'failed',
    code: 'ERR_RUN_INCOMPLETE',
    says: ({ run }) => `${run} ended without a failure, but its root task is not complete`,
    remedy: 'See which outputs are missing: run() may not have written them, or something removed them afterwards.',
  },
  {
    id: 'unanswered',
    when: { ...ZERO, root: ['raised'] },
    state: 'lost',
    code: 'ERR_RUN_UNVERIFIED',
    says: ({ run, evidence }) =>
      `${run} ended without a failure, but whether it is complete is unknown: complete() raised${because(evidence.asked?.error)}`,
    remedy: 'Mend complete() or output() of the root task.',
  },
  {
    id: 'unasked',
    when: { ...ZERO, root: ['unasked'] },
    state: 'lost',
    code: 'ERR_RUN_LOST',
    says: ({ run }) => `${run} ended without a failure, but whether it is complete is unknown: its answer is missing`,
    remedy: 'See whether the disk of the agent is full.',
  },
];

/** The row for this evidence. */
export function outcomeRow(dimensions: Dimensions): OutcomeRow {
  const row = OUTCOME_ROWS.find(({ when }) => matches(when, dimensions));
  if (!row) throw new TypeError(`No outcome for ${JSON.stringify(dimensions)}`);
  return row;
}

/** Whether a pattern holds; a dimension that it does not name may have any value. */
export function matches(when: Pattern, dimensions: Dimensions): boolean {
  return Object.entries(when).every(([name, values]) =>
    (values as readonly string[]).includes(dimensions[name as keyof Dimensions]),
  );
}
