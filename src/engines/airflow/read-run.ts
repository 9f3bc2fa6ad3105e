import type { JsonValue } from '#core/json.ts';
import { AnswerError, type Fields } from '../answer-fields.ts';
import type { AirflowAssetEvent, AirflowHealth, AirflowRun, AirflowTaskInstance, RunName } from './airflow-api.ts';

const MOST_TRIES = 1_000_000;
const MOST_INSTANCES = 10_000_000;

/** A DAG run of either API. */
export function readRun(fields: Fields): AirflowRun {
  return {
    dagId: fields.name('dag_id'),
    runId: fields.name('dag_run_id'),
    state: fields.name('state'),
    conf: fields.has('conf') ? (fields.object('conf').all() as Record<string, JsonValue>) : {},
    note: fields.maybeText('note'),
    logicalDate: fields.maybeName('logical_date'),
    runAfter: fields.maybeName('run_after'),
    queuedAt: fields.maybeDate('queued_at'),
    startedAt: fields.maybeDate('start_date'),
    endedAt: fields.maybeDate('end_date'),
    bundleVersion: fields.maybeName('bundle_version'),
  };
}

/**
 * The DAG run that was asked for. What stands in front of a server can give an answer that was meant for somebody else.
 * @throws {AnswerError} when it is another one
 */
export function readNamedRun(fields: Fields, { dagId, runId }: RunName): AirflowRun {
  const run = readRun(fields);
  if (run.dagId === dagId && run.runId === runId) return run;
  throw new AnswerError('its answer is about another run');
}

/** A task instance of either API. */
export function readTaskInstance(fields: Fields): AirflowTaskInstance {
  return {
    taskId: fields.name('task_id'),
    mapIndex: mapIndexOf(fields, 'map_index'),
    label: fields.maybeText('rendered_map_index', 200),
    state: fields.maybeName('state'),
    tryNumber: tryOf(fields),
    startedAt: fields.maybeDate('start_date'),
    endedAt: fields.maybeDate('end_date'),
  };
}

/** Of `GET /assets/events` (v2) or `GET /datasets/events` (v1). */
export function readAssetEvent(fields: Fields): AirflowAssetEvent {
  return {
    uri: fields.has('uri') ? fields.name('uri') : fields.name('dataset_uri'),
    name: fields.maybeText('name', 1_000),
    taskId: fields.maybeName('source_task_id'),
    mapIndex: mapIndexOf(fields, 'source_map_index'),
  };
}

/** Of `GET /monitor/health` (v2) or `GET /health` (v1). */
export function readHealth(fields: Fields): AirflowHealth {
  const scheduler = fields.maybeObject('scheduler');
  return {
    scheduler: scheduler?.maybeText('status', 60),
    schedulerHeartbeat: scheduler?.maybeDate('latest_scheduler_heartbeat'),
  };
}

function mapIndexOf(fields: Fields, name: string): number {
  return fields.has(name) ? Math.floor(fields.number(name, { from: -1, to: MOST_INSTANCES })) : -1;
}

function tryOf(fields: Fields): number {
  return fields.has('try_number')
    ? Math.max(0, Math.floor(fields.number('try_number', { from: -1, to: MOST_TRIES })))
    : 0;
}
