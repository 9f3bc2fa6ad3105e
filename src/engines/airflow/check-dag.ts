import { PlumblineError } from '#core/errors.ts';
import { neutralise } from '#core/neutralise.ts';
import { oneLine } from '#core/task-name.ts';
import type { AirflowDag, ImportError } from './airflow-api.ts';
import type { AirflowRunRequest } from './airflow-request.ts';
import { checkConf } from './check-conf.ts';
import { checkDagVersion } from './check-dag-version.ts';
import type { DagPlace } from './dag-place.ts';

export interface DagCheck {
  readonly dag: AirflowDag;
  /** The run will have to wait: why. */
  readonly warning?: string | undefined;
}

/** The Python error stands at the end of a traceback. */
const SHOWN_ERROR = 300;
const PARSING =
  "A new file is seen by Airflow's DAG processor within its refresh interval ([dag_processor] refresh_interval, 300 s by default; Airflow 2: [scheduler] dag_dir_list_interval).";

/**
 * Looks before a run is started whether the DAG can run it: it is there, its file can be imported, it is not stale, the conf meets
 * its params, the wanted version is parsed, it is not paused. A paused one is unpaused when that is wanted, and only when everything
 * else is as it has to be. A DAG that has as many runs as it may is not refused; the warning says so.
 *
 * @throws {PlumblineError} `ERR_DAG_NOT_FOUND`, `ERR_DAG_IMPORT`, `ERR_DAG_STALE`, `ERR_DAG_CONF_INVALID`,
 *   `ERR_DAG_VERSION_UNSUPPORTED`, `ERR_DAG_VERSION_MISSING`, `ERR_DAG_PAUSED`, `ERR_AIRFLOW_*`
 */
export async function checkDag(
  place: DagPlace,
  request: Pick<AirflowRunRequest, 'conf' | 'dagVersion' | 'unpause'>,
  signal: AbortSignal,
): Promise<DagCheck> {
  const found = await place.api.dag(place.dagId, signal);
  // A file that is new with this commit is not there yet: waiting for its version is waiting for it.
  if (found === undefined && request.dagVersion === undefined) throw await notFound(place, signal);
  const dag = await checkDagVersion(place, found, request.dagVersion, signal);
  if (dag === undefined) throw await notFound(place, signal);
  await checkFile(place, dag, signal);
  await checkConf(place, dag, request.conf);
  if (dag.isPaused && !request.unpause) throw paused(place);
  const warning = await fullness(place, dag, signal);
  if (dag.isPaused) await unpause(place, signal);
  return { dag, warning };
}

async function unpause({ api, dagId, log }: DagPlace, signal: AbortSignal): Promise<void> {
  log?.info(`The DAG ${dagId} is paused; it is unpaused now and stays so.`);
  await api.setPaused(dagId, false, signal);
}

async function fullness({ api, dagId }: DagPlace, dag: AirflowDag, signal: AbortSignal): Promise<string | undefined> {
  const { maxActiveRuns } = dag;
  if (!maxActiveRuns) return undefined;
  const running = await api.runningRuns(dagId, signal);
  if (running < maxActiveRuns) return undefined;
  const runs = running === 1 ? 'one running run' : `${running} running runs`;
  return `The DAG ${dagId} has ${runs} and may have ${maxActiveRuns} at a time (max_active_runs): the run waits until one of them ends`;
}

/** Not everybody who may run a DAG may read them: they explain what is wrong, and are not it. */
async function importErrors(
  { api, log }: DagPlace,
  file: string | undefined,
  signal: AbortSignal,
): Promise<readonly ImportError[]> {
  try {
    return await api.importErrors(file, signal);
  } catch (thrown) {
    signal.throwIfAborted();
    if (!(thrown instanceof PlumblineError)) throw thrown;
    log?.debug(`Import errors were not read: ${thrown.message}`);
    return [];
  }
}

/** An import error of a file names no DAG; the one whose text or file speaks of this one explains why it is not there. */
async function notFound(place: DagPlace, signal: AbortSignal): Promise<PlumblineError> {
  const { api, dagId } = place;
  const errors = await importErrors(place, undefined, signal);
  const ours = errors.find(({ file, text }) => mentions(file, dagId) || mentions(text, dagId));
  if (ours !== undefined) return importError(place, ours, 'Airflow has no such DAG, and the file');
  return new PlumblineError('ERR_DAG_NOT_FOUND', `The DAG ${dagId} was not found in Airflow at ${api.url}`, {
    remedy: `Check dagId, and that the user of the connection may see this DAG. ${PARSING}${others(errors)}`,
    details: { dagId },
  });
}

/** `etl/orders.py` mentions `orders`. */
function mentions(text: string, dagId: string): boolean {
  const at = text.indexOf(dagId);
  if (at < 0) return false;
  const [before = '', after = ''] = [text[at - 1], text[at + dagId.length]];
  return !/[\w-]/.test(before) && !/[\w-]/.test(after);
}

function others(errors: readonly ImportError[]): string {
  if (errors.length === 0) return '';
  const files = errors.slice(0, 5).map(({ file }) => neutralise(oneLine(file, 100)));
  const more = errors.length > files.length ? ', …' : '';
  return ` Airflow cannot import ${files.join(', ')}${more}: see whether the DAG is in there.`;
}

/** A DAG whose file breaks becomes stale too; one whose file is gone may go on being called broken, with no error that could be shown. */
async function checkFile(place: DagPlace, dag: AirflowDag, signal: AbortSignal): Promise<void> {
  if (dag.hasImportErrors) {
    const file = dag.fileLocation?.split('/').at(-1);
    const [error] = await importErrors(place, file, signal);
    if (error !== undefined || !dag.isStale)
      throw importError(place, error ?? { file: file ?? '', text: '' }, 'the DAG has been changed, and the file');
  }
  if (dag.isStale) throw stale(place);
}

function importError({ api, dagId }: DagPlace, { file, text }: ImportError, why: string): PlumblineError {
  const lines = text.trimEnd().split('\n');
  const last = neutralise(oneLine(lines.at(-1) ?? '', SHOWN_ERROR));
  const where = neutralise(oneLine(file, 200));
  return new PlumblineError(
    'ERR_DAG_IMPORT',
    `The DAG ${dagId} in Airflow at ${api.url} cannot run: ${why} ${where} cannot be imported${last && `: ${last}`}`,
    {
      remedy: "Correct the file or install what it imports; the whole traceback stands on Airflow's first page.",
      details: { dagId, file },
    },
  );
}

function stale({ api, dagId }: DagPlace): PlumblineError {
  return new PlumblineError(
    'ERR_DAG_STALE',
    `The DAG ${dagId} in Airflow at ${api.url} cannot run: no file has it any more`,
    { remedy: `Bring its file back, or correct dagId. ${PARSING}`, details: { dagId } },
  );
}

function paused({ api, dagId }: DagPlace): PlumblineError {
  return new PlumblineError(
    'ERR_DAG_PAUSED',
    `The DAG ${dagId} in Airflow at ${api.url} is paused: a run of it would stay queued`,
    { remedy: 'Unpause it in Airflow, or set unpause to true; it then stays unpaused.', details: { dagId } },
  );
}
