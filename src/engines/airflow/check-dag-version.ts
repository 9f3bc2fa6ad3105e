import { systemClock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import { oneLine } from '#core/task-name.ts';
import type { AirflowDag } from './airflow-api.ts';
import type { AirflowRunRequest } from './airflow-request.ts';
import type { DagPlace } from './dag-place.ts';

const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 10_000;
const VERSIONED = 'Give dagVersion only for a DAG in a bundle with versions, such as the GitDagBundle of Airflow 3.';

type DagVersion = NonNullable<AirflowRunRequest['dagVersion']>;

/**
 * Waits until Airflow has parsed this version of the DAG's bundle (a commit).
 * @param dag as it is now; `undefined`: not there yet
 * @returns the DAG of that version; `dag` when no version is wanted
 * @throws {PlumblineError} `ERR_DAG_VERSION_UNSUPPORTED` at once for Airflow 2 and for a bundle without versions;
 *   `ERR_DAG_VERSION_MISSING` after the time it was given
 */
export async function checkDagVersion(
  place: DagPlace,
  dag: AirflowDag | undefined,
  wanted: DagVersion | undefined,
  signal: AbortSignal,
): Promise<AirflowDag | undefined> {
  if (wanted === undefined) return dag;
  checkSupported(place, dag);
  if (dag?.bundleVersion === wanted.version) return dag;
  return waited(place, dag, wanted, signal);
}

async function waited(
  place: DagPlace,
  first: AirflowDag | undefined,
  wanted: DagVersion,
  signal: AbortSignal,
): Promise<AirflowDag> {
  const { api, dagId, clock = systemClock, log } = place;
  const until = clock.now() + wanted.withinMs;
  log?.info(`Waiting for the version ${wanted.version} of the DAG ${dagId}: ${standing(first)}.`);
  let dag = first;
  for (let wait = FIRST_WAIT_MS; clock.now() < until; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
    await clock.sleep(Math.min(wait, until - clock.now()), signal);
    dag = await api.dag(dagId, signal);
    checkSupported(place, dag);
    if (dag?.bundleVersion === wanted.version) return dag;
  }
  throw missing(place, dag, wanted);
}

function checkSupported({ api, dagId }: DagPlace, dag: AirflowDag | undefined): void {
  if (!api.features.dagVersions)
    throw unsupported(dagId, api.url, `Airflow ${api.version} has no versions of DAGs; Airflow 3 has`);
  if (dag === undefined || dag.bundleVersion !== undefined) return;
  const bundle = dag.bundleName === undefined ? 'its bundle' : `its bundle '${oneLine(dag.bundleName, 100)}'`;
  throw unsupported(dagId, api.url, `${bundle} has no versions`);
}

function unsupported(dagId: string, airflow: string, why: string): PlumblineError {
  return new PlumblineError(
    'ERR_DAG_VERSION_UNSUPPORTED',
    `A version of the DAG ${dagId} in Airflow at ${airflow} cannot be waited for: ${why}`,
    { remedy: VERSIONED, details: { dagId } },
  );
}

function missing({ api, dagId }: DagPlace, dag: AirflowDag | undefined, wanted: DagVersion): PlumblineError {
  const seconds = Math.round(wanted.withinMs / 1_000);
  return new PlumblineError(
    'ERR_DAG_VERSION_MISSING',
    `The version ${wanted.version} of the DAG ${dagId} was not parsed by Airflow at ${api.url} within ${seconds} s: ${standing(dag)}`,
    {
      remedy:
        'Check that the commit is on the branch that the bundle tracks, and that Airflow refreshes the bundle more often than that ([dag_processor] refresh_interval).',
      details: { dagId, wanted: wanted.version, there: dag?.bundleVersion },
    },
  );
}

function standing(dag: AirflowDag | undefined): string {
  return dag === undefined ? 'the DAG is not there' : `${dag.bundleVersion ?? 'no version'} is there`;
}
