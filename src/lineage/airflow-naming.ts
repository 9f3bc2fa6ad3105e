import type { TaskRecord } from '#core/run.ts';
import type { EngineNaming } from './engine-naming.ts';
import type { RunName } from './facets.ts';
import { staticUuid } from './static-uuid.ts';

/** A DAG run as far as its names follow from it. */
export interface NamedDagRun {
  /** `[openlineage] namespace` of the Airflow. */
  readonly namespace: string;
  readonly dagId: string;
  /** ISO 8601 with an offset: the logical date; where there is none, the time after which it may run. */
  readonly instant: string;
  readonly state: string;
  readonly conf: Readonly<Record<string, unknown>>;
}

/** A run that nobody has cleared. */
const CLEAR_NUMBER = 0;

/**
 * The names that Airflow's OpenLineage provider gives to a DAG run and its tasks.
 *
 * Rule: `build_dag_run_ol_run_id` and `build_task_instance_ol_run_id` of apache-airflow-providers-openlineage 2.20.3. The id of a
 * DAG run counts how often it was cleared, which Airflow's API does not tell: these are of a run that was not.
 * @param above what the run comes from when its conf does not say
 * @throws {TypeError} when `instant` is none
 */
export function airflowNaming(
  run: NamedDagRun,
  above: { readonly parent: RunName; readonly root: RunName },
): EngineNaming {
  const { namespace, dagId, instant, state } = run;
  const told = toldIn(run.conf);
  const parent = told.parent ?? above.parent;
  return {
    engine: 'Airflow',
    jobType: 'DAG',
    workflow: {
      runId: staticUuid(instant, `${namespace}.${dagId}.${CLEAR_NUMBER}`),
      job: { namespace, name: dagId },
    },
    parent,
    root: told.root ?? told.parent ?? above.root,
    end: state === 'success' ? 'COMPLETE' : state === 'failed' ? 'FAIL' : undefined,
    task: (task) => taskRun(run, task),
  };
}

/** Each try is a run of its own there; ours is the last one. */
function taskRun({ namespace, dagId, instant }: NamedDagRun, { family, attempts, parameters }: TaskRecord): RunName {
  const mapIndex = parameters['map_index'] ?? '-1';
  return {
    runId: staticUuid(instant, `${namespace}.${dagId}.${family}.${attempts}.${mapIndex}`),
    job: { namespace, name: `${dagId}.${family}` },
  };
}

/** `conf.openlineage` as the provider reads it: a group counts only when it is whole. */
function toldIn(conf: Readonly<Record<string, unknown>>): { readonly parent?: RunName; readonly root?: RunName } {
  const told = conf['openlineage'];
  if (typeof told !== 'object' || told === null) return {};
  const values = told as Readonly<Record<string, unknown>>;
  const parent = group(values, 'parentRunId', 'parentJobNamespace', 'parentJobName');
  const root = group(values, 'rootParentRunId', 'rootParentJobNamespace', 'rootParentJobName');
  return { ...(parent && { parent }), ...(root && { root }) };
}

function group(values: Readonly<Record<string, unknown>>, ...names: readonly string[]): RunName | undefined {
  const [runId, namespace, name] = names.map((key) => values[key]);
  if (typeof runId !== 'string' || typeof namespace !== 'string' || typeof name !== 'string') return undefined;
  return { runId, job: { namespace, name } };
}

/** `conf.openlineage` that makes the provider continue a chain. Six values, or the provider leaves a group out. */
export function openLineageConf(parent: RunName, root: RunName): Readonly<Record<string, string>> {
  return {
    parentRunId: parent.runId,
    parentJobNamespace: parent.job.namespace,
    parentJobName: parent.job.name,
    rootParentRunId: root.runId,
    rootParentJobNamespace: root.job.namespace,
    rootParentJobName: root.job.name,
  };
}
