import * as tl from 'azure-pipelines-task-lib/task.js';
import { asPlumblineError, PlumblineError } from '#core/errors.ts';
import type { Host } from '#core/host.ts';
import type { Step, StepResult } from '#core/step.ts';
import { withRemedy } from '#core/with-remedy.ts';
import { azurePipelinesHost, flushOutput } from './azure-pipelines.ts';

/** What the agent sends when a step is cancelled or times out: SIGINT, after 7.5 s SIGTERM; CTRL_BREAK on Windows. */
const CANCEL_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGBREAK'] as const;

/**
 * Runs a step as an Azure Pipelines task: the only place where a signal becomes an abort and an error becomes a result.
 *
 * The process ends as soon as the step has its result, even when a process that user code left behind still holds a pipe.
 * A failed task exits with 0: for the agent any other status is an infrastructure failure.
 */
export async function runTask(step: Step): Promise<void> {
  // Deprecations inside packages concern us, not the person who reads the log.
  process.noDeprecation = true;
  const host = azurePipelinesHost();
  const controller = new AbortController();
  for (const name of CANCEL_SIGNALS) process.on(name, () => controller.abort(new Error(`The agent sent ${name}.`)));
  const { result, message } = await resultOf(step, host, controller.signal);
  tl.command('task.complete', { result }, message);
  flushOutput();
  process.stdout.write('', () => process.exit(0));
}

async function resultOf(step: Step, host: Host, signal: AbortSignal): Promise<StepResult> {
  try {
    return await step(host, signal);
  } catch (thrown) {
    if (signal.aborted && !(thrown instanceof PlumblineError)) return cancelledBefore(host);
    return report(thrown, host, signal.aborted);
  }
}

/** The step gave up where it was, and there was nothing to stop. */
function cancelledBefore(host: Host): StepResult {
  const message = 'The step was cancelled before it had started a run';
  host.issue({ type: 'error', message, code: 'ERR_RUN_CANCELLED' });
  return { result: 'Canceled', message };
}

function report(thrown: unknown, host: Host, cancelled: boolean): StepResult {
  const error = asPlumblineError(thrown);
  const message = withRemedy(error.message, error.remedy);
  host.issue({ type: 'error', message, code: error.code });
  for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
    host.log.debug(cause.stack ?? cause.message);
  return { result: cancelled ? 'Canceled' : 'Failed', message: error.message };
}
