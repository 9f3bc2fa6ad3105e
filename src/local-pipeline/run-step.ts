import { alarm } from './alarm.ts';
import { checkoutStep } from './checkout-step.ts';
import { stepCondition } from './conditions.ts';
import type { JobContext } from './job-context.ts';
import type { PlannedStep, PlannedTask } from './plan.ts';
import { scriptStep } from './script-step.ts';
import type { StepExecution } from './step-execution.ts';
import { type StepLog, stepLog } from './step-log.ts';
import type { StepRecord } from './step-record.ts';
import type { TaskStage } from './task-definition.ts';
import { taskStep } from './task-step.ts';
import type { VariableStore } from './variable-store.ts';

/** One entry of a job's list: a step, or the pre-job or post-job stage of a task step. */
export interface JobEntry {
  readonly step: PlannedStep;
  readonly stage: TaskStage;
  readonly record: StepRecord;
  readonly taskVariables: VariableStore;
}

/** Thrown by a step's work when it was cancelled or ran out of time. */
export class StepInterrupted extends Error {}

/**
 * Runs one entry by the rules of the agent's StepsRunner: condition, time-out, cancel, result. Never throws: an error
 * becomes the step's failure.
 */
export async function runStep(entry: JobEntry, job: JobContext): Promise<void> {
  const { record, step } = entry;
  const log = logOf(entry, job);
  job.variables.expandAll();
  job.variables.set('Agent.JobStatus', job.status);
  record.startedAt = job.run.clock.now();
  if (wanted(entry, job, log)) {
    job.run.services?.beginStep({ recordId: record.id, jobId: job.names.jobId, name: record.displayName });
    job.run.listener({ kind: 'step-started', record });
    log.section(`Starting: ${record.displayName}`);
    await perform(entry, job, log);
    record.settle(step.continueOnError);
    log.section(`Finishing: ${record.displayName}`);
  }
  record.endedAt = job.run.clock.now();
  job.run.listener({ kind: 'step-ended', record });
}

function logOf({ record }: JobEntry, { run, variables }: JobContext): StepLog {
  const debugWanted = () => variables.get('System.Debug')?.toLowerCase() === 'true';
  return stepLog({ record, masker: run.masker, write: run.write, debugWanted, listener: run.listener });
}

/** The condition of the main stage decides for the pre-job stage too; a post-job stage always runs. */
function wanted({ record, step, stage }: JobEntry, job: JobContext, log: StepLog): boolean {
  const condition = stage === 'postjobexecution' ? 'always()' : step.condition?.text;
  try {
    if (!job.stopped.aborted && stepCondition(condition, job.status, job.variables.list())) return true;
    record.result = 'Skipped';
  } catch (thrown) {
    log.error(`The condition '${condition}' cannot be evaluated: ${(thrown as Error).message}`);
    record.result = 'Failed';
  }
  return false;
}

async function perform(entry: JobEntry, job: JobContext, log: StepLog): Promise<void> {
  const { record, step } = entry;
  const controller = new AbortController();
  const release = watchCancel(entry, job, log, controller);
  const callOff = alarm(job.run.clock, step.timeoutInMinutes, () => controller.abort('timeout'));
  try {
    await work(entry, { job, step, record, log, signal: controller.signal, taskVariables: entry.taskVariables });
    if (controller.signal.aborted) throw new StepInterrupted('The operation was canceled.');
  } catch (thrown) {
    settleThrown(thrown as Error, controller.signal, record, log);
  } finally {
    callOff();
    release();
  }
}

function settleThrown(thrown: Error, signal: AbortSignal, record: StepRecord, log: StepLog): void {
  const timedOut = signal.aborted && signal.reason === 'timeout';
  if (timedOut) log.error('The task has timed out.');
  else log.error(signal.aborted ? 'The operation was canceled.' : thrown.message);
  record.result = signal.aborted && !timedOut ? 'Canceled' : 'Failed';
}

function work({ step, stage }: JobEntry, execution: StepExecution): Promise<void> {
  switch (step.kind) {
    case 'task':
      return taskStep(step as PlannedTask, stage, execution);
    case 'checkout':
      return checkoutStep(execution);
    default:
      return scriptStep(step, execution);
  }
}

/** On a cancel the condition is asked again: `always()` lets the step go on. Returns what stops watching. */
function watchCancel(
  { step, stage }: JobEntry,
  job: JobContext,
  log: StepLog,
  controller: AbortController,
): () => void {
  const condition = stage === 'postjobexecution' ? 'always()' : step.condition?.text;
  const onCancel = () => {
    job.status = 'Canceled';
    job.variables.set('Agent.JobStatus', job.status);
    if (holds(condition, job)) return;
    log.error('The Operation will be canceled. The next steps may not contain expected logs.');
    controller.abort('cancel');
  };
  const onStop = () => controller.abort('cancel');
  if (!job.cancelled.aborted) job.cancelled.addEventListener('abort', onCancel, { once: true });
  job.stopped.addEventListener('abort', onStop, { once: true });
  return () => {
    job.cancelled.removeEventListener('abort', onCancel);
    job.stopped.removeEventListener('abort', onStop);
  };
}

function holds(condition: string | undefined, job: JobContext): boolean {
  try {
    return stepCondition(condition, job.status, job.variables.list());
  } catch {
    // A condition that cannot be asked again does not keep a step alive.
    return false;
  }
}
