import { ERROR_FAMILIES, type ErrorCode } from '#core/errors.ts';
import type { Finding, RunOutcome, RunUpdate, TaskRecord } from '#core/run.ts';
import { oneLine, taskName } from '#core/task-name.ts';
import { userFrame } from '../user-frame.ts';
import { classify, type Dimensions, type Evidence } from './evidence.ts';
import { isRejected, MESSAGE_LENGTH, reportedFindings, taskFindings } from './findings.ts';
import { type OutcomeRow, outcomeRow } from './outcome-rows.ts';
import type { OutcomeFacts } from './outcome-words.ts';
import type { Ending, RunStory } from './run-story.ts';

const ADAPTER_VERSION = '1';

/** A run that is over, with what is known from beside its events. */
export interface EndedRun extends Ending {
  readonly story: RunStory;
  readonly module: string;
  readonly task: string;
  readonly runDirectory: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly endedAt: number;
  /** It was over before anybody looked. */
  readonly adopted: boolean;
  /** Why its secrets could not be removed from the disk; absent when they were. */
  readonly secretsLeft?: string | undefined;
}

/** Decides how a run ended: the last transitions of its tasks, and the outcome as the last update. */
export function concludeRun(run: EndedRun): readonly RunUpdate[] {
  const { story, endedAt: at, runId, stop, record, supervisorStatus } = run;
  const evidence = story.evidence({ runId, stop, record, supervisorStatus });
  const dimensions = classify(evidence);
  const running = story.tasks.records().filter(({ state }) => state === 'running');
  const settled = story.tasks.settle(endingOf(dimensions), at);
  const outcome = describe(run, evidence, dimensions, running);
  return [...settled, { kind: 'state', state: outcome.state, at }, { kind: 'outcome', outcome }];
}

function endingOf({ process, verdict }: Dimensions): 'orderly' | 'broken' | 'lost' {
  if (process === 'unseen') return 'lost';
  return verdict === 'none' ? 'broken' : 'orderly';
}

function describe(
  run: EndedRun,
  evidence: Evidence,
  dimensions: Dimensions,
  running: readonly TaskRecord[],
): RunOutcome {
  const row = outcomeRow(dimensions);
  const { story, startedAt, endedAt, adopted, runDirectory } = run;
  const facts = { run: `${run.task} of ${run.module}`, evidence, running: running.map(taskName), runDirectory };
  return {
    state: row.state,
    verified: VERIFIED[dimensions.root],
    rootTaskId: story.tasks.root,
    summary: row.says(facts),
    tasks: story.tasks.records(),
    findings: [...findings(row, facts, story), ...secretsLeft(run)],
    startedAt,
    endedAt,
    engine: { name: 'luigi', version: story.hello?.luigi, adapterVersion: ADAPTER_VERSION },
    adopted,
  };
}

const VERIFIED = {
  complete: 'confirmed',
  incomplete: 'refuted',
  raised: 'unknown',
  unverifiable: 'unverifiable',
  unasked: 'unknown',
} as const satisfies Record<Dimensions['root'], RunOutcome['verified']>;

function findings(row: OutcomeRow, facts: OutcomeFacts, story: RunStory): readonly Finding[] {
  const severity = row.state === 'succeeded' ? 'warning' : 'error';
  const tasks = story.tasks.records().filter((task) => !isOwnDoing(row, task));
  const own = row.code ? [rowFinding(row, row.code, facts, severity)] : [];
  return [
    ...own,
    ...brokenOff(story, severity),
    ...taskFindings(tasks, story.tasks.nameless, severity),
    ...reportedFindings(story.reported),
    ...lostEvents(story),
  ];
}

/** An exception or an exit that no task is to blame for: in `requires()`, an event handler, a `__str__`. */
function brokenOff({ aborted }: RunStory, severity: Finding['severity']): Finding[] {
  if (!aborted) return [];
  const message = `The whole run was broken off by ${aborted.type}: ${oneLine(aborted.message, MESSAGE_LENGTH)}`;
  return [{ severity, code: 'ERR_RUN_FAILED', message, frame: userFrame(aborted.frames, 'luigi') }];
}

/**
 * Tasks that died because we stopped the run, or because its worker ended it for another task's identity: one finding says so
 * already. A run that is being stopped gets no tokens any more.
 */
function isOwnDoing({ state, code }: OutcomeRow, task: TaskRecord): boolean {
  const stopped = state === 'cancelled' || state === 'deadline';
  if (stopped && isRejected(task)) return true;
  return (stopped || code === 'ERR_IDENTITY_REJECTED') && task.state === 'died' && task.failure === undefined;
}

function rowFinding(
  row: OutcomeRow,
  code: NonNullable<OutcomeRow['code']>,
  facts: OutcomeFacts,
  severity: Finding['severity'],
): Finding {
  const { refused } = facts.evidence;
  return {
    severity,
    code: code === 'refusal' ? knownCode(refused?.code) : code,
    message: row.says(facts),
    remedy: code === 'refusal' ? refused?.remedy : row.remedy,
    frame: code === 'refusal' ? refused?.frames.at(-1) : undefined,
  };
}

function knownCode(code: string | undefined): ErrorCode {
  return code !== undefined && Object.hasOwn(ERROR_FAMILIES, code) ? (code as ErrorCode) : 'ERR_WORKER_PROTOCOL';
}

/** What a disk that was full for a while swallowed: lines that were cut, and events of which the worker kept only the count. */
function lostEvents({ unreadable, unwritten }: RunStory): Finding[] {
  if (unreadable === 0 && unwritten === 0) return [];
  const what =
    unwritten > unreadable
      ? `${unwritten} events of the run or more could not be written`
      : `${unreadable} lines of the run's events could not be read`;
  const message = `${what}: what is reported of single tasks may be incomplete`;
  const remedy = 'See whether the disk of the agent is full.';
  return [{ severity: 'warning', code: 'ERR_RUN_UNVERIFIED', message, remedy }];
}

function secretsLeft({ secretsLeft: why, runDirectory }: EndedRun): Finding[] {
  if (why === undefined) return [];
  const message = `The secrets of the run could not be removed from ${runDirectory}: ${oneLine(why, MESSAGE_LENGTH)}`;
  const remedy = 'The end of the job tries it again; see whether the folder is still there after it.';
  return [{ severity: 'warning', code: 'ERR_UNEXPECTED', message, remedy }];
}
