import type { Dataset } from '#core/dataset.ts';
import type { RunUpdate, TaskFailure, TaskRecord, TaskState } from '#core/run.ts';
import type { AirflowTaskInstance } from './airflow-api.ts';
import { isAtEnd, readTaskState } from './task-states.ts';
import { idsByTask, type TaskStructure, taskInstanceId } from './task-structure.ts';
import { hasRun, type Step, stepsTo } from './task-transitions.ts';

/** A try of a task that ended in failure. */
export interface FailedTry {
  readonly id: string;
  readonly taskId: string;
  readonly mapIndex: number;
  readonly tryNumber: number;
  /** It will be tried again. */
  readonly isRetried: boolean;
}

export interface ReadingOf {
  /** When it was read. Milliseconds since the epoch. */
  readonly at: number;
  /** The run has ended, and these are all its task instances. */
  readonly isLast: boolean;
}

interface Entry {
  instance: AirflowTaskInstance;
  /** `undefined`: nobody was told of it yet. */
  told: { state: TaskState; word: string | undefined; tryNumber: number; message: string | undefined } | undefined;
  /** When its last transition was. */
  toldAt: number;
  failure: TaskFailure | undefined;
  /** A try that was over before anybody saw how. */
  missedTry: number | undefined;
  outputs: readonly Dataset[];
}

/**
 * Folds reads of task instances into a record for each and the transitions between them. A read may be of some instances or of all,
 * and say again what is known; the last one decides what is true.
 */
export class AirflowLedger {
  #structure: TaskStructure;
  readonly #entries = new Map<string, Entry>();
  #ids: ReadonlyMap<string, readonly string[]> = new Map();
  #hasEnded = false;

  constructor(structure: TaskStructure) {
    this.#structure = structure;
  }

  /** A later version of the DAG. */
  restructure(structure: TaskStructure): void {
    this.#structure = structure;
  }

  /** Takes a read in; gives what changed for a follower, in the order of time. */
  fold(instances: readonly AirflowTaskInstance[], reading: ReadingOf): readonly RunUpdate[] {
    this.#hasEnded = reading.isLast;
    const entries = instances.map((instance) => this.#entry(instance));
    if (reading.isLast) this.#keepOnly(instances);
    this.#ids = idsByTask([...this.#entries.values()].map(({ instance }) => instance));
    const updates = entries.flatMap((entry) => this.#changes(entry, reading));
    // Stable: the transitions of one task keep their order, which is that of their times.
    return updates.sort((a, b) => a.at - b.at);
  }

  records(): readonly TaskRecord[] {
    return [...this.#entries.values()].filter(({ told }) => told !== undefined).map((entry) => this.#record(entry));
  }

  get(id: string): TaskRecord | undefined {
    const entry = this.#entries.get(id);
    return entry?.told && this.#record(entry);
  }

  /** Tries that have failed and of which no failure is known. */
  unexplained(): readonly FailedTry[] {
    return [...this.#entries.values()].flatMap(({ instance, failure, missedTry }) => [
      ...(missedTry === undefined ? [] : [failedTry(instance, missedTry)]),
      ...(failure === undefined && hasFailed(instance) ? [failedTry(instance, instance.tryNumber)] : []),
    ]);
  }

  /** Of a try that is not the last one nothing is kept. */
  explain({ id, tryNumber }: FailedTry, failure: TaskFailure): void {
    const entry = this.#entries.get(id);
    if (entry?.missedTry === tryNumber) entry.missedTry = undefined;
    if (entry?.instance.tryNumber === tryNumber && hasFailed(entry.instance)) entry.failure = failure;
  }

  wrote(id: string, outputs: readonly Dataset[]): void {
    const entry = this.#entries.get(id);
    if (entry) entry.outputs = outputs;
  }

  /** Nobody will tell how these end. */
  abandon(at: number): readonly RunUpdate[] {
    const open = [...this.#entries.values()].filter(({ told }) => told !== undefined && !isAtEnd(told.state));
    return open.map((entry) => this.#move(entry, { state: 'unknown', at }, true));
  }

  /** Whether everything has come to an end of its own. */
  get isSettled(): boolean {
    return [...this.#entries.values()].every(({ told }) => told !== undefined && isAtEnd(told.state));
  }

  /** The latest time that the server itself has given: what changed since can be asked for without comparing clocks. */
  get serverTime(): number | undefined {
    const times = [...this.#entries.values()].flatMap(({ instance: { startedAt, endedAt } }) => [startedAt, endedAt]);
    const known = times.filter((time) => time !== undefined);
    return known.length === 0 ? undefined : known.reduce((a, b) => Math.max(a, b));
  }

  #entry(instance: AirflowTaskInstance): Entry {
    const id = taskInstanceId(instance);
    const known = this.#entries.get(id);
    if (known === undefined) {
      const entry: Entry = { ...UNTOLD, instance };
      this.#entries.set(id, entry);
      return entry;
    }
    const { tryNumber, state } = known.instance;
    // What is known of one try says nothing about another.
    if (instance.tryNumber !== tryNumber || instance.state !== state) known.failure = undefined;
    if (instance.tryNumber > tryNumber && known.told?.state === 'running') known.missedTry = tryNumber;
    known.instance = instance;
    return known;
  }

  /** An instance that became several, or was removed with its DAG version, is none of the run's any more. */
  #keepOnly(instances: readonly AirflowTaskInstance[]): void {
    const known = new Map(this.#entries);
    this.#entries.clear();
    for (const id of instances.map(taskInstanceId)) this.#entries.set(id, known.get(id) as Entry);
  }

  #changes(entry: Entry, { at, isLast }: ReadingOf): (RunUpdate & { readonly at: number })[] {
    const { instance } = entry;
    if (!isLast && this.#isPlaceholder(instance)) return [];
    const steps = stepsTo(instance, entry.told, { at, hasEnded: isLast });
    const { message } = readTaskState(instance.state, isLast);
    const isSame = entry.told?.message === message;
    const updates = steps.map((step, index) => this.#move(entry, step, index === steps.length - 1));
    entry.told = {
      ...(entry.told as NonNullable<Entry['told']>),
      word: instance.state,
      tryNumber: instance.tryNumber,
      message,
    };
    if (updates.length > 0 || isSame) return updates;
    return [{ kind: 'status', task: this.#record(entry), at: this.#after(entry, at) }];
  }

  #move(entry: Entry, step: Step, isLastStep: boolean): RunUpdate & { readonly at: number } {
    const previous = entry.told?.state;
    const at = this.#after(entry, step.at);
    entry.told = { word: undefined, tryNumber: 0, message: undefined, ...entry.told, state: step.state };
    const now = this.#record(entry);
    // What went before had neither an end nor a reason.
    const task = isLastStep ? now : { ...now, endedAt: undefined, failure: undefined, statusMessage: undefined };
    return { kind: 'task', task, previous, at };
  }

  /** The times of one task never go back, whatever the clocks say. */
  #after(entry: Entry, at: number): number {
    entry.toldAt = Math.max(entry.toldAt, at);
    return entry.toldAt;
  }

  #isPlaceholder({ taskId, mapIndex, state }: AirflowTaskInstance): boolean {
    return mapIndex < 0 && this.#structure.isMapped(taskId) && (state === undefined || state === 'scheduled');
  }

  #record({ instance, told, failure, outputs }: Entry): TaskRecord {
    const { taskId, mapIndex, label, tryNumber, endedAt } = instance;
    const state = told?.state ?? 'pending';
    const ran = hasRun(instance);
    return {
      id: taskInstanceId(instance),
      family: taskId,
      parameters: mapIndex < 0 ? {} : mapped(String(mapIndex), label),
      state,
      dependsOn: this.#structure.dependsOn(taskId, this.#ids),
      startedAt: ran ? instance.startedAt : undefined,
      endedAt: ran && isAtEnd(state) ? endedAt : undefined,
      attempts: ran ? tryNumber : 0,
      failure: state === 'failed' ? failure : undefined,
      inputs: [],
      outputs: state === 'done' ? outputs : [],
      statusMessage: readTaskState(instance.state, this.#hasEnded).message,
    };
  }
}

/** Airflow 3 labels every mapped task, with its index where the DAG gives it no name. */
function mapped(index: string, label: string | undefined): TaskRecord['parameters'] {
  return { map_index: index, ...(label && label !== index && { label }) };
}

const UNTOLD = {
  told: undefined,
  toldAt: Number.NEGATIVE_INFINITY,
  failure: undefined,
  missedTry: undefined,
  outputs: [],
} as const;

function hasFailed({ state, tryNumber }: AirflowTaskInstance): boolean {
  return (state === 'failed' || state === 'up_for_retry') && tryNumber > 0;
}

function failedTry(instance: AirflowTaskInstance, tryNumber: number): FailedTry {
  const { taskId, mapIndex, state } = instance;
  const isRetried = state === 'up_for_retry' || tryNumber < instance.tryNumber;
  return { id: taskInstanceId(instance), taskId, mapIndex, tryNumber, isRetried };
}
