import type { JsonValue } from '#core/json.ts';
import type { ApiVersion, RunName, TriggerBody } from './airflow-api.ts';

/** A page of a list: where it is asked for, and under which names its entries and their number come. */
export interface ListRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: { readonly [key: string]: JsonValue } | undefined;
  /** Name of the list in the answer. */
  readonly list: string;
}

/** Where the two APIs differ. Paths are below `/api/v1` or `/api/v2`, every part encoded. */
export interface Dialect {
  readonly api: ApiVersion;
  readonly health: string;
  /** Airflow 2 takes one type, Airflow 3 refuses any other than these. */
  readonly logAccept: string;
  importErrors(file: string | undefined): string;
  /** Those of these runs among which are those wanted, newest first; `since` is the earliest logical date among them, if all are known. */
  runs(wanted: readonly RunName[], since: string | undefined, offset: number): ListRequest;
  trigger(body: TriggerBody): { readonly [key: string]: JsonValue };
  note(run: RunName): string;
  xcom(run: RunName, value: { readonly taskId: string; readonly mapIndex: number; readonly key: string }): string;
  assetEvents(run: RunName, offset: number): ListRequest;
}

/** Airflow answers with fewer where its own limit is lower. */
export const PAGE = 100;

/** `/dags/{dag}/dagRuns/{run}`. */
export function runPath({ dagId, runId }: RunName): string {
  return `${dagPath(dagId)}/dagRuns/${part(runId)}`;
}

export function dagPath(dagId: string): string {
  return `/dags/${part(dagId)}`;
}

/** One part of a path; an id never becomes another path. */
export function part(id: string): string {
  const encoded = encodeURIComponent(id);
  // The URL parser would take them for the folder itself or the one above, however they are written.
  return /^(?:\.|%2e){1,2}$/i.test(encoded) ? '%20' : encoded;
}

export function query(values: Readonly<Record<string, string | number | undefined>>): string {
  const given = Object.entries(values).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return given.length === 0 ? '' : `?${given.join('&')}`;
}

/** @param field what the version calls the time since when */
function listedSince(field: string): Dialect['runs'] {
  return (wanted, since, offset) => ({
    method: 'POST',
    path: '/dags/~/dagRuns/list',
    body: {
      dag_ids: dagsOf(wanted),
      page_limit: PAGE,
      page_offset: offset,
      order_by: '-id',
      ...(since !== undefined && { [field]: since }),
    },
    list: 'dag_runs',
  });
}

export const V1: Dialect = {
  api: 'v1',
  health: '/health',
  logAccept: 'application/json',
  importErrors: () => `/importErrors${query({ limit: PAGE, order_by: '-timestamp' })}`,
  runs: listedSince('execution_date_gte'),
  trigger: ({ runId, conf, logicalDate, note }) => ({
    dag_run_id: runId,
    conf,
    ...(logicalDate !== undefined && { logical_date: logicalDate }),
    ...(note !== undefined && { note }),
  }),
  note: (run) => `${runPath(run)}/setNote`,
  // Without it the value comes as Python prints it.
  xcom: (run, value) => `${xcomPath(run, value)}&stringify=false`,
  assetEvents: (run, offset) => ({
    method: 'GET',
    path: `/datasets/events${eventsQuery(run, offset)}`,
    list: 'dataset_events',
  }),
};

export const V2: Dialect = {
  api: 'v2',
  health: '/monitor/health',
  logAccept: 'application/json',
  importErrors: (file) =>
    `/importErrors${query({ limit: PAGE, order_by: '-timestamp', filename_pattern: file && `%${file}%` })}`,
  runs: listedSince('run_after_gte'),
  trigger: ({ runId, conf, logicalDate, note }) => ({
    dag_run_id: runId,
    conf,
    // Required: `null` is a run without one, of which there may be many.
    logical_date: logicalDate ?? null,
    ...(note !== undefined && { note }),
  }),
  note: runPath,
  xcom: xcomPath,
  assetEvents: (run, offset) => ({
    method: 'GET',
    path: `/assets/events${eventsQuery(run, offset)}`,
    list: 'asset_events',
  }),
};

function dagsOf(wanted: readonly RunName[]): readonly string[] {
  return [...new Set(wanted.map(({ dagId }) => dagId))];
}

function xcomPath(
  run: RunName,
  { taskId, mapIndex, key }: { readonly taskId: string; readonly mapIndex: number; readonly key: string },
): string {
  return `${runPath(run)}/taskInstances/${part(taskId)}/xcomEntries/${part(key)}${query({ map_index: mapIndex })}`;
}

function eventsQuery({ dagId, runId }: RunName, offset: number): string {
  return query({ source_dag_id: dagId, source_run_id: runId, limit: PAGE, offset });
}
