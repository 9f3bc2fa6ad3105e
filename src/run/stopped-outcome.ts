import type { Finding, RunOutcome, RunRef, TaskRecord } from '#core/run.ts';
import { taskName } from '#core/task-name.ts';
import type { Stop } from './stop-run.ts';

const SHOWN_TASKS = 5;

/** The outcome of a run that we stopped: ours comes first, whatever the engine makes of it. */
export function stoppedOutcome(outcome: RunOutcome, stop: Stop, running: readonly TaskRecord[]): RunOutcome {
  const root = outcome.tasks.find(({ id }) => id === outcome.rootTaskId);
  const own = stopFinding(root ? taskName(root) : 'The run', stop, running);
  const others = outcome.findings.filter(({ code, taskId }) => code !== own.code || taskId !== undefined);
  return { ...outcome, state: stop.reason, summary: own.message, findings: [own, ...others] };
}

/** The outcome of a run that we asked to stop and that was not seen to end. */
export function unansweredOutcome(
  run: { ref: RunRef; startedAt: number; tasks: readonly TaskRecord[]; engine: string },
  stop: Stop,
  running: readonly TaskRecord[],
): RunOutcome {
  const own = stopFinding(`The run ${run.ref.id}`, { ...stop, answer: 'requested' }, running);
  return {
    state: stop.reason,
    verified: 'unknown',
    summary: own.message,
    tasks: run.tasks,
    findings: [own],
    startedAt: run.startedAt,
    endedAt: Date.now(),
    engine: { name: run.engine, adapterVersion: '1' },
    adopted: false,
  };
}

function stopFinding(run: string, { reason, answer, error }: Stop, running: readonly TaskRecord[]): Finding {
  const how = answer === 'stopped' ? 'was stopped' : 'was asked to stop and has not confirmed';
  const why = reason === 'deadline' ? 'its time was up' : 'the step was cancelled';
  const failed = error === undefined ? '' : ` (${error instanceof Error ? error.message : String(error)})`;
  return {
    severity: 'error',
    code: reason === 'deadline' ? 'ERR_RUN_DEADLINE' : 'ERR_RUN_CANCELLED',
    message: `${run} ${how}${failed}: ${why}${whileRunning(running)}`,
    remedy: remedyOf(reason, answer),
  };
}

function remedyOf(reason: Stop['reason'], answer: Stop['answer']): string | undefined {
  if (answer === 'requested') return 'It may still be going: look for it in its engine before you start it again.';
  return reason === 'deadline' ? 'Raise the input timeout, or see why these tasks take so long.' : undefined;
}

function whileRunning(tasks: readonly TaskRecord[]): string {
  if (tasks.length === 0) return ', no task was running';
  const shown = tasks.slice(0, SHOWN_TASKS).map(taskName).join(', ');
  const more = tasks.length > SHOWN_TASKS ? ` and ${tasks.length - SHOWN_TASKS} more` : '';
  return ` while ${shown}${more} ${tasks.length === 1 ? 'was' : 'were'} running`;
}
