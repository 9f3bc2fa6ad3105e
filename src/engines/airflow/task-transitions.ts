import type { TaskState } from '#core/run.ts';
import type { AirflowTaskInstance } from './airflow-api.ts';
import { readTaskState } from './task-states.ts';

/** A state that a task came to, and when. Milliseconds since the epoch. */
export interface Step {
  readonly state: TaskState;
  readonly at: number;
}

/** What was last told of a task instance, with Airflow's word for it. */
export interface Told {
  readonly state: TaskState;
  readonly word: string | undefined;
  readonly tryNumber: number;
}

/** A try in this state has run and is over. */
const OVER: ReadonlySet<string> = new Set(['success', 'failed', 'up_for_retry']);

/**
 * The states that a task went through between two reads, the last one included: what was not seen and must have been is told all
 * the same. A try that is over was running; a further try began from waiting.
 *
 * @param at when it was read; times of the server are taken where it gives them
 */
export function stepsTo(
  instance: AirflowTaskInstance,
  told: Told | undefined,
  { at, hasEnded }: { readonly at: number; readonly hasEnded: boolean },
): readonly Step[] {
  const steps: Step[] = [];
  let current = told?.state;
  const go = (state: TaskState, when: number) => {
    if (state === current) return;
    steps.push({ state, at: when });
    current = state;
  };
  const began = instance.startedAt ?? at;
  const { state } = readTaskState(instance.state, hasEnded);
  if (told && isFurtherTry(instance, told)) go('pending', began);
  if (hasRun(instance) && OVER.has(instance.state ?? '') && !isTold(instance, told)) go('running', began);
  go(state, timeOf(instance, state, at));
  return steps;
}

/** Tasks that Airflow settles without running them have a start, but no try. */
export function hasRun({ tryNumber, startedAt }: AirflowTaskInstance): boolean {
  return tryNumber > 0 && startedAt !== undefined;
}

function isFurtherTry(instance: AirflowTaskInstance, { tryNumber }: Told): boolean {
  return instance.tryNumber > tryNumber && hasRun(instance);
}

/** Whether somebody was told that this try was running. */
function isTold({ tryNumber }: AirflowTaskInstance, told: Told | undefined): boolean {
  if (told === undefined || tryNumber > told.tryNumber) return false;
  return told.state !== 'pending' || told.word === 'up_for_retry';
}

function timeOf({ startedAt, endedAt }: AirflowTaskInstance, state: TaskState, at: number): number {
  if (state === 'running') return startedAt ?? at;
  return state === 'pending' || state === 'unknown' ? at : (endedAt ?? at);
}
