import type { StepExecution } from './step-execution.ts';

/** The most that `retryCountOnTaskFailure` may ask for. */
const MOST_RETRIES = 10;

/** 1, 4, 9, … seconds (RetryHelper.ExponentialDelay). */
export function retryDelayMs(retry: number): number {
  return (retry + 1) ** 2 * 1_000;
}

/** Runs a task again when it failed, as the agent's RetryHelper does; a cancel or time-out is not retried. */
export async function withRetries(
  wanted: number,
  execution: StepExecution,
  attempt: () => Promise<void>,
): Promise<void> {
  const { log } = execution;
  if (wanted > MOST_RETRIES)
    log.warning(`The maximum allowed number of attempts is ${MOST_RETRIES} but got ${wanted}.`);
  const most = Math.min(wanted, MOST_RETRIES);
  for (let retry = 0; ; retry += 1) {
    const failure = await failureOf(execution, attempt);
    if (failure === undefined) return;
    if (execution.signal.aborted || retry >= most) {
      if (failure instanceof Error) throw failure;
      return;
    }
    execution.record.result = undefined;
    log.warning(
      `RetryHelper encountered task failure, will retry (attempt #: ${retry + 1} out of ${most}) after ${retryDelayMs(retry)} ms`,
    );
    await execution.job.run.clock.sleep(retryDelayMs(retry), execution.signal);
  }
}

/** The error, or the word `failed` for a task that said so itself. */
async function failureOf(
  { record }: StepExecution,
  attempt: () => Promise<void>,
): Promise<Error | 'failed' | undefined> {
  try {
    await attempt();
    return record.result === 'Failed' ? 'failed' : undefined;
  } catch (thrown) {
    return thrown instanceof Error ? thrown : new Error(String(thrown));
  }
}
