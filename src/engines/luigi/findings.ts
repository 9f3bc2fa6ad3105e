import type { ErrorCode } from '#core/errors.ts';
import type { Finding, TaskRecord, TaskState } from '#core/run.ts';
import { oneLine, taskName } from '#core/task-name.ts';
import { IDENTITY_REJECTED } from './task-ledger.ts';
import type { EventOf } from './worker-event.ts';

/** Characters of somebody else's message in one of ours. */
export const MESSAGE_LENGTH = 500;
const REASON_LENGTH = 64;

/** Its worker could not write the exception down, for example on a full disk. */
const UNTOLD = ': its exception was not recorded, see the log';

interface Kind {
  readonly code: ErrorCode;
  readonly says: (task: TaskRecord) => string;
}

/** What is told of a task in such a state, the most important first. */
const KINDS: Partial<Readonly<Record<TaskState, Kind>>> = {
  failed: { code: 'ERR_RUN_FAILED', says: (task) => `failed${why(task) || UNTOLD}` },
  died: { code: 'ERR_RUN_DIED', says: (task) => `died${why(task)}` },
  disabled: { code: 'ERR_RUN_FAILED', says: (task) => `was given up after its retries${why(task)}` },
  unschedulable: { code: 'ERR_RUN_SCHEDULING', says: (task) => `could not be scheduled${why(task)}` },
  missing: { code: 'ERR_RUN_MISSING_INPUT', says: () => 'is an external input, and it is missing' },
  elsewhere: { code: 'ERR_RUN_ALREADY_RUNNING', says: () => 'is run by another worker' },
  blocked: { code: 'ERR_RUN_NOT_RUN', says: () => 'could not run because of other tasks' },
};

const NO_TOKEN: Kind = {
  code: 'ERR_IDENTITY_REJECTED',
  says: ({ failure }) => `was refused its identity: ${oneLine(failure?.message ?? '', MESSAGE_LENGTH)}`,
};

/** Whether it failed because it got no token. */
export function isRejected({ state, failure }: TaskRecord): boolean {
  return state === 'failed' && failure?.type === IDENTITY_REJECTED;
}

/** One finding for each family and reason: what enforcement would have ended the run for. */
export function reportedFindings(reported: readonly EventOf<'reported'>[]): readonly Finding[] {
  const alike = new Map<string, { first: EventOf<'reported'>; count: number }>();
  for (const event of reported) {
    const key = `${event.family}\n${event.reason}`;
    const { first, count } = alike.get(key) ?? { first: event, count: 0 };
    alike.set(key, { first, count: count + 1 });
  }
  return [...alike.values()].map(({ first: { family, reason, message }, count }) => {
    const whose = `${count} ${count === 1 ? 'task' : 'tasks'} of ${family ?? 'the run'}`;
    const why = `${oneLine(reason, REASON_LENGTH)}: ${oneLine(message, MESSAGE_LENGTH)}`;
    const said = `${whose} ran without a token, and enforcement would end the run: ${why}`;
    return { severity: 'warning', code: 'ERR_IDENTITY_REJECTED', message: said };
  });
}

/** A finding for every task that did not end well, and for every task that could not even be built. */
export function taskFindings(
  tasks: readonly TaskRecord[],
  nameless: readonly EventOf<'unschedulable'>[],
  severity: Finding['severity'],
): readonly Finding[] {
  const states = Object.keys(KINDS) as TaskState[];
  const byState = states.flatMap((state) => tasks.filter((task) => task.state === state));
  return [...byState.map((task) => taskFinding(task, severity)), ...nameless.map((event) => unbuilt(event, severity))];
}

function taskFinding(task: TaskRecord, severity: Finding['severity']): Finding {
  const kind = isRejected(task) ? NO_TOKEN : (KINDS[task.state] as Kind);
  const stalled = task.state === 'died' && task.failure?.type === 'ProcessStalled';
  return {
    severity,
    code: stalled ? 'ERR_RUN_STALLED' : kind.code,
    message: `${taskName(task)} ${kind.says(task)}`,
    taskId: task.id,
    frame: task.failure?.frame,
  };
}

function unbuilt({ family, phase, type, message }: EventOf<'unschedulable'>, severity: Finding['severity']): Finding {
  const what = `${family || 'A task'} could not be scheduled: ${phase}: ${type}: ${oneLine(message, MESSAGE_LENGTH)}`;
  return { severity, code: 'ERR_RUN_SCHEDULING', message: what };
}

function why({ failure }: TaskRecord): string {
  if (!failure) return '';
  const message = oneLine(failure.message, MESSAGE_LENGTH);
  if (failure.type.startsWith('Process')) return `: ${message}`;
  return `: ${failure.type}${message ? `: ${message}` : ''}`;
}
