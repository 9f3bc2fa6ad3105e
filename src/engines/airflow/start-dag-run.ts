import { systemClock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import { oneLine } from '#core/task-name.ts';
import type { AirflowRun, TriggerBody } from './airflow-api.ts';
import type { AirflowRunRequest } from './airflow-request.ts';
import { checkDag } from './check-dag.ts';
import type { DagPlace } from './dag-place.ts';
import { type FoundDagRun, findDagRun, ownRun } from './find-dag-run.ts';
import { confOf } from './run-marker.ts';
import { cut, LONGEST_NOTE } from './stop-note.ts';
import { askedWait } from './watch-run.ts';

export interface StartedDagRun {
  readonly run: AirflowRun;
  /** `found`: a run of this id that is ours was there already. */
  readonly how: 'started' | 'found';
  /** What stands in the way of the run although it was started: quote it when the run stays queued. */
  readonly warning?: string | undefined;
}

/** Each is read back before the next; Airflow's own restart takes about this long. */
const TRIES = 6;
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8_000;
/** Of `Retry-After`; more is not believed. */
const LONGEST_ASKED_MS = 60_000;
const ROOM_FOR_MARK_IN_NOTE = 80;

/**
 * Starts a run, once: a run of this id that is ours is given as it is. An answer that does not say whether the run was made (a
 * broken connection, a time-out, 5xx, a conflict) is resolved by reading the run back, and only when it is not there the request is sent
 * again: Airflow has each run id once for a DAG, so that this can make no second run.
 *
 * @throws {PlumblineError} what {@link checkDag} throws; `ERR_RUN_EXISTS`; `ERR_AIRFLOW_CONFLICT` when the DAG has a run of this
 *   logical date under another id; `ERR_DAG_CONF_INVALID`, `ERR_AIRFLOW_*`
 */
export async function startDagRun(
  place: DagPlace,
  request: AirflowRunRequest,
  signal: AbortSignal,
): Promise<StartedDagRun> {
  const known = await findDagRun(place, request.id, signal);
  if (known !== undefined) return { run: known.run, how: 'found' };
  const { warning } = await checkDag(place, request, signal);
  const run = await triggered(place, bodyOf(request), signal);
  return { run, how: 'started', warning: otherVersion(place, run, request) ?? warning };
}

/** Airflow takes no version with a trigger: it runs the newest, which may be newer than the one that was waited for. */
function otherVersion(
  { dagId }: DagPlace,
  { runId, bundleVersion }: AirflowRun,
  { dagVersion }: AirflowRunRequest,
): string | undefined {
  if (dagVersion === undefined || bundleVersion === undefined || bundleVersion === dagVersion.version) return undefined;
  return `The run ${runId} of the DAG ${dagId} has the version ${oneLine(bundleVersion, 100)}, which took the place of ${dagVersion.version} in the moment of its start`;
}

function bodyOf(request: AirflowRunRequest): TriggerBody {
  const { id, logicalDate, note } = request;
  const kept = note === undefined ? undefined : cut(note, LONGEST_NOTE - ROOM_FOR_MARK_IN_NOTE);
  return { runId: id, conf: confOf(request), logicalDate, note: kept };
}

async function triggered(place: DagPlace, body: TriggerBody, signal: AbortSignal): Promise<AirflowRun> {
  const { api, clock = systemClock } = place;
  for (let attempt = 1; ; attempt += 1) {
    const answer = await triggerOnce(place, body, signal);
    if (!(answer instanceof PlumblineError)) return ownRun(answer, api.url).run;
    const made = await readBack(place, body.runId, answer, signal);
    if (made !== undefined) return made.run;
    // A conflict without a run of this id: another one has the logical date.
    if (answer.code === 'ERR_AIRFLOW_CONFLICT') throw dateTaken(place, body, answer);
    if (attempt >= TRIES) throw answer;
    const asked = Math.min(askedWait(answer, clock.now()) ?? 0, LONGEST_ASKED_MS);
    await clock.sleep(Math.max(asked, Math.min(FIRST_WAIT_MS * 2 ** (attempt - 1), LONGEST_WAIT_MS)), signal);
  }
}

/** The run; or why nobody knows whether it was made. */
async function triggerOnce(
  { api, dagId, log }: DagPlace,
  body: TriggerBody,
  signal: AbortSignal,
): Promise<AirflowRun | PlumblineError> {
  try {
    return await api.trigger(dagId, body, signal);
  } catch (thrown) {
    if (!saysTooLittle(thrown)) throw thrown;
    log?.debug(`Whether the run ${body.runId} was started is read back: ${thrown.message}`);
    return thrown;
  }
}

/** A protocol error may be an answer that was cut: the run was made. */
function saysTooLittle(thrown: unknown): thrown is PlumblineError {
  if (!(thrown instanceof PlumblineError)) return false;
  return (
    thrown.code === 'ERR_AIRFLOW_UNAVAILABLE' ||
    thrown.code === 'ERR_AIRFLOW_CONFLICT' ||
    thrown.code === 'ERR_AIRFLOW_PROTOCOL'
  );
}

/**
 * Reading is tried again by itself; when it fails too, for whatever reason, nobody knows whether there is a run, and the message says
 * so: the code is that of a passing failure, by which a step that was cancelled has a run that may have to be stopped.
 */
async function readBack(
  place: DagPlace,
  id: string,
  asked: PlumblineError,
  signal: AbortSignal,
): Promise<FoundDagRun | undefined> {
  try {
    return await findDagRun(place, id, signal);
  } catch (thrown) {
    if (!(thrown instanceof PlumblineError) || thrown.code === 'ERR_RUN_EXISTS') throw thrown;
    throw new PlumblineError(
      'ERR_AIRFLOW_UNAVAILABLE',
      `Nobody can say whether Airflow at ${place.api.url} has started the run ${id} of the DAG ${place.dagId}: ${asked.message}; ${thrown.message}`,
      {
        remedy: 'Run the job again when Airflow answers: it takes the run over if there is one.',
        details: thrown.details,
        cause: thrown,
      },
    );
  }
}

function dateTaken(
  { api, dagId }: DagPlace,
  { runId, logicalDate }: TriggerBody,
  cause: PlumblineError,
): PlumblineError {
  const why =
    logicalDate === undefined
      ? 'the DAG has another run of the same moment'
      : `the DAG has a run of the logical date ${logicalDate} under another id already`;
  return new PlumblineError(
    'ERR_AIRFLOW_CONFLICT',
    `Airflow at ${api.url} did not start the run ${runId} of the DAG ${dagId}: ${why}`,
    {
      remedy: 'Give another logicalDate, or none; or clear the run of that date in Airflow.',
      details: cause.details,
      cause,
    },
  );
}
