import type { JsonValue } from '#core/json.ts';
import type { Fields } from '../answer-fields.ts';
import type { AirflowDag, AirflowParam, AirflowTask, ImportError } from './airflow-api.ts';

const LONGEST_TRACEBACK = 4_000;
const MOST_RUNS = 1_000_000;

/** `GET /dags/{id}/details` of either API. */
export function readDag(fields: Fields): AirflowDag {
  return {
    dagId: fields.name('dag_id'),
    isPaused: fields.maybeFlag('is_paused'),
    // Airflow 2 says it the other way round.
    isStale: fields.has('is_stale') ? fields.flag('is_stale') : fields.has('is_active') && !fields.flag('is_active'),
    hasImportErrors: fields.maybeFlag('has_import_errors'),
    maxActiveRuns: fields.has('max_active_runs')
      ? Math.floor(fields.number('max_active_runs', { from: 0, to: MOST_RUNS }))
      : undefined,
    fileLocation: fields.maybeName('fileloc'),
    params: readParams(fields),
    bundleName: fields.maybeName('bundle_name'),
    bundleVersion: fields.maybeName('bundle_version'),
  };
}

function readParams(fields: Fields): ReadonlyMap<string, AirflowParam> {
  const params = fields.maybeObject('params');
  if (params === undefined) return new Map();
  return new Map(params.keys().map((name) => [name, readParam(params.object(name))]));
}

/** A param without a value has `null`, as has one whose value is none. */
function readParam(fields: Fields): AirflowParam {
  return {
    value: (fields.value('value') ?? null) as JsonValue,
    schema: fields.has('schema') ? (fields.object('schema').all() as Record<string, JsonValue>) : {},
  };
}

/** `GET /dags/{id}/tasks` of either API. */
export function readTask(fields: Fields): AirflowTask {
  return {
    taskId: fields.name('task_id'),
    downstream: fields.has('downstream_task_ids') ? fields.names('downstream_task_ids') : [],
    isMapped: fields.maybeFlag('is_mapped'),
  };
}

/** One of `GET /importErrors`; the end of a traceback says what is wrong. */
export function readImportError(fields: Fields): ImportError {
  const text = fields.maybeText('stack_trace', Number.POSITIVE_INFINITY) ?? '';
  return { file: fields.maybeName('filename') ?? '', text: text.slice(-LONGEST_TRACEBACK) };
}
