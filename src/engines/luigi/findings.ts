import type { ErrorCode } from '#core/errors.ts';
import type { Finding, TaskRecord, TaskState } from '#core/run.ts';
import { oneLine, taskName } from '#core/task-name.ts';
import type { EventOf } from './worker-event.ts';

const MESSAGE_LENGTH = 500;

interface Kind {
  readonly code: ErrorCode;
  readonly says: (task: TaskRecord) => string;
}

/** What is told of a task in such a state, the most important first. */
const KINDS: Partial<Readonly<Record<TaskState, Kind>>> = {
  failed: { code: 'ERR_RUN_FAILED', says: (task) => `failed${why(task)}` },
  died: { code: 'ERR_RUN_DIED', says: (task) => `died${why(task)}` },
  disabled: { code: 'ERR_RUN_FAILED', says: (task) => `was given up after its retries${why(task)}` },
  unschedulable: { code: 'ERR_RUN_SCHEDULING', says: (task) => `could not be scheduled${why(task)}` },
  missing: { code: 'ERR_RUN_MISSING_INPUT', says: () => 'is an external input, and it is missing' },
  elsewhere: { code: 'ERR_RUN_ALREADY_RUNNING', says: () => 'is run by another worker' },
  blocked: { code: 'ERR_RUN_NOT_RUN', says: () => 'could not run because of other tasks' },
};

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
  const kind = KINDS[task.state] as Kind;
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

/**
 * At most `limit` findings of each kind (severity and code); behind the last of them one that counts the rest. An agent of
 * Azure Pipelines keeps ten errors and ten warnings of a step.
 */
export function capFindings(findings: readonly Finding[], limit = 10): readonly Finding[] {
  const counts = new Map<string, number>();
  const kept = findings.filter((finding) => {
    const count = (counts.get(kindOf(finding)) ?? 0) + 1;
    counts.set(kindOf(finding), count);
    return count <= limit;
  });
  return [...counts].reduce((all, [kind, count]) => (count > limit ? withRest(all, kind, count - limit) : all), kept);
}

function kindOf({ severity, code }: Finding): string {
  return `${severity} ${code}`;
}

function withRest(findings: readonly Finding[], kind: string, rest: number): Finding[] {
  const last = findings.findLastIndex((finding) => kindOf(finding) === kind);
  const { severity, code } = findings[last] as Finding;
  const message = `… and ${rest} more of the same kind (${code}); the report has them all`;
  return findings.toSpliced(last + 1, 0, { severity, code, message });
}
