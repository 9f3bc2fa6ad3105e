import type { RunOutcome, TaskRecord } from '#core/run.ts';
import { type Facets, standardFacet } from './open-lineage.ts';

const MAX_MESSAGE = 4_000;
const MAX_STACK = 16_000;

/** Why the run did not end well, or nothing when it did. */
export function outcomeError(producer: string, outcome: RunOutcome): Facets {
  if (outcome.state === 'succeeded') return {};
  const finding = outcome.findings.find(({ severity }) => severity === 'error');
  return errorMessage(producer, finding?.message ?? `The run ended as '${outcome.state}'.`, undefined);
}

/** Why the task did not end well; a task that was stopped without an exception has its state for a reason. */
export function taskError(producer: string, { state, failure }: TaskRecord): Facets {
  if (failure === undefined) return errorMessage(producer, `The task ended as '${state}'.`, undefined);
  return errorMessage(producer, `${failure.type}: ${failure.message}`, failure.traceback);
}

function errorMessage(producer: string, message: string, stack: string | undefined): Facets {
  const fields = {
    message: message.slice(0, MAX_MESSAGE),
    programmingLanguage: 'python',
    // The last frames and the exception stand at the end.
    ...(stack && { stackTrace: stack.slice(-MAX_STACK) }),
  };
  return { errorMessage: standardFacet(producer, '1-0-1', 'ErrorMessageRunFacet', fields) };
}
