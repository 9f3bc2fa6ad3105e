import { asPlumblineError } from '#core/errors.ts';
import type { JsonValue } from '#core/json.ts';
import { neutralise } from '#core/neutralise.ts';
import { oneLine } from '#core/task-name.ts';
import type { AirflowApi, RunName } from './airflow-api.ts';

export interface WantedResult {
  readonly name: string;
  /** As its author writes it: `load`, `load.rows`, `load[2]`, `load[2].rows`; both ids of tasks and keys may have dots. */
  readonly task: string;
  /** With it `task` is a task and nothing else. */
  readonly key?: string | undefined;
}

export interface RunResults {
  /** By the wanted name: text as it is, anything else as JSON; neutralised, at most 16 KiB each. */
  readonly values: ReadonlyMap<string, string>;
  /** What could not be had, and why. What is too long is not cut: half a value is another value. */
  readonly missing: readonly { readonly name: string; readonly why: string }[];
}

/** Under this key Airflow keeps what a task returned. */
const RETURNED = 'return_value';
const LONGEST_BYTES = 16 * 1024;
/** Of one mapped task. */
const MOST_INSTANCES = 200;
const REASON_LENGTH = 300;

interface Source {
  readonly taskId: string;
  readonly key: string;
  /** Absent: all instances. */
  readonly mapIndex: number | undefined;
}

/**
 * Values that the tasks of a run have pushed (XCom). The longest text in front of a dot, or of the end, that is a task of the run is the
 * task, and what follows is the key. A mapped task gives the array of what its instances pushed, in their order.
 *
 * @throws {PlumblineError} when the task instances of the run cannot be read; a value that cannot be is missing
 */
export async function readResults(
  api: Pick<AirflowApi, 'taskInstances' | 'xcom'>,
  run: RunName,
  wanted: readonly WantedResult[],
  signal: AbortSignal,
): Promise<RunResults> {
  const values = new Map<string, string>();
  const missing: { name: string; why: string }[] = [];
  if (wanted.length === 0) return { values, missing };
  const indexes = await mapIndexes(api, run, signal);
  for (const result of wanted) {
    const read = await readResult(api, run, result, indexes, signal);
    if ('value' in read) values.set(result.name, read.value);
    else missing.push({ name: result.name, why: read.why });
  }
  return { values, missing };
}

type Indexes = ReadonlyMap<string, readonly number[]>;
type Read = { readonly value: string } | { readonly why: string };

async function mapIndexes(api: Pick<AirflowApi, 'taskInstances'>, run: RunName, signal: AbortSignal): Promise<Indexes> {
  const indexes = new Map<string, number[]>();
  for (const { taskId, mapIndex } of await api.taskInstances(run, { signal })) {
    indexes.set(taskId, [...(indexes.get(taskId) ?? []), mapIndex]);
  }
  for (const of of indexes.values()) of.sort((a, b) => a - b);
  return indexes;
}

async function readResult(
  api: Pick<AirflowApi, 'xcom'>,
  run: RunName,
  wanted: WantedResult,
  indexes: Indexes,
  signal: AbortSignal,
): Promise<Read> {
  const source = sourceOf(wanted, indexes);
  if (source === undefined) return { why: `the run has no task of which ${oneLine(wanted.task, 200)} is a value` };
  try {
    return await pushed(api, run, source, indexes.get(source.taskId) ?? [], signal);
  } catch (thrown) {
    signal.throwIfAborted();
    return { why: oneLine(asPlumblineError(thrown).message, REASON_LENGTH) };
  }
}

/** Which task and key are meant; `undefined` when no task of the run fits. */
export function sourceOf({ task, key }: WantedResult, indexes: ReadonlyMap<string, unknown>): Source | undefined {
  const ends = key === undefined ? [task.length, ...dotsOf(task).toReversed()] : [task.length];
  for (const end of ends) {
    const [, taskId = '', index] = INDEXED.exec(task.slice(0, end)) ?? [];
    const rest = task.slice(end + 1);
    if (!indexes.has(taskId) || (end < task.length && rest === '')) continue;
    return { taskId, key: key ?? (rest || RETURNED), mapIndex: index === undefined ? undefined : Number(index) };
  }
  return undefined;
}

const INDEXED = /^(.*?)(?:\[(\d{1,9})\])?$/s;

function dotsOf(text: string): readonly number[] {
  return [...text.matchAll(/\./g)].map(({ index }) => index);
}

async function pushed(
  api: Pick<AirflowApi, 'xcom'>,
  run: RunName,
  { taskId, key, mapIndex }: Source,
  indexes: readonly number[],
  signal: AbortSignal,
): Promise<Read> {
  const one = (index: number) => api.xcom(run, { taskId, key, mapIndex: index }, signal);
  const mapped = indexes.filter((index) => index >= 0);
  if (mapIndex !== undefined || mapped.length === 0) return written(await one(mapIndex ?? -1), taskId, key);
  if (mapped.length > MOST_INSTANCES) return { why: `${taskId} has more than ${MOST_INSTANCES} instances` };
  const all: JsonValue[] = [];
  for (const index of mapped) all.push((await one(index)) ?? null);
  return written(all, taskId, key);
}

function written(value: JsonValue | undefined, taskId: string, key: string): Read {
  if (value === undefined) return { why: `the task ${taskId} has pushed no value ${key}` };
  const text = neutralise(typeof value === 'string' ? value : JSON.stringify(value));
  const bytes = Buffer.byteLength(text);
  if (bytes <= LONGEST_BYTES) return { value: text };
  return { why: `the value ${key} of the task ${taskId} has ${bytes} bytes, and a variable takes ${LONGEST_BYTES}` };
}
