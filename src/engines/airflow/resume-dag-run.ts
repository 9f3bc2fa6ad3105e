import { PlumblineError } from '#core/errors.ts';
import type { AirflowRun, AirflowTask, AirflowTaskInstance, ClearWish, RunName } from './airflow-api.ts';
import type { DagPlace } from './dag-place.ts';
import { findDagRun } from './find-dag-run.ts';
import { isTerminal } from './run-words.ts';
import { stopNoted, withResumption } from './stop-note.ts';
import { mayPass } from './watch-run.ts';

const FAILED: ReadonlySet<string> = new Set(['failed', 'upstream_failed']);

/**
 * Lets a run go on where it failed: the failed tasks and everything behind them are cleared; of a run that we stopped also what was
 * skipped by that. From then on the run's note says which attempt did it, and no more that it was stopped.
 *
 * @throws {PlumblineError} `ERR_RUN_LOST` when there is no such run, `ERR_RUN_EXISTS` when it is not ours, `ERR_RUN_FAILED` when
 *   nothing in it can be cleared; `ERR_AIRFLOW_*`
 */
export async function resumeDagRun(
  place: DagPlace,
  id: string,
  attempt: string,
  signal: AbortSignal,
): Promise<AirflowRun> {
  const { api, dagId } = place;
  const found = await findDagRun(place, id, signal);
  if (found === undefined) throw gone(place, id);
  const run = { dagId, runId: id };
  const instances = await api.taskInstances(run, { signal });
  const { failed, behind } = toClear(
    instances,
    await api.tasks(dagId, signal),
    stopNoted(found.run.note) !== undefined,
  );
  if (failed.length + behind.length === 0) throw nothingToClear(place, id);
  // First what lies behind, while the run stands still. Until that is done the note goes on to say that the run was stopped: whoever
  // tries again after a failure in between has to know what the stop has skipped.
  const others = { taskIds: behind, onlyFailed: false };
  if (behind.length > 0) await api.clear(run, { ...others, goesOn: false }, signal);
  await api.setNote(run, withResumption(found.run.note, attempt), signal);
  // Airflow clears the setups of a task with it: then nothing may be left that failed, and what is cleared already sets the run going.
  const rounds = [{ taskIds: failed, onlyFailed: true }, others].filter(({ taskIds }) => taskIds.length > 0);
  return (await setGoing(place, run, rounds, signal)) ?? found.run;
}

/**
 * The run as it goes on, after the first of these that cleared anything. An answer that does not say whether it did is resolved by
 * reading the run.
 */
async function setGoing(
  { api }: DagPlace,
  run: RunName,
  rounds: readonly Omit<ClearWish, 'goesOn'>[],
  signal: AbortSignal,
): Promise<AirflowRun | undefined> {
  try {
    for (const round of rounds) if ((await api.clear(run, { ...round, goesOn: true }, signal)) > 0) break;
  } catch (thrown) {
    if (!mayPass(thrown)) throw thrown;
    const now = await api.run(run.dagId, run.runId, signal);
    if (now === undefined || isTerminal(now.state)) throw thrown;
    return now;
  }
  return api.run(run.dagId, run.runId, signal);
}

/** Task ids: those with failed instances, and those whose instances all run anew. */
export function toClear(
  instances: readonly AirflowTaskInstance[],
  tasks: readonly AirflowTask[],
  wasStopped: boolean,
): { readonly failed: readonly string[]; readonly behind: readonly string[] } {
  const idsOf = (states: ReadonlySet<string>) =>
    new Set(instances.filter(({ state }) => states.has(state ?? '')).map(({ taskId }) => taskId));
  const failed = idsOf(FAILED);
  const behind = closure(failed, tasks);
  // What a branch left out is left out again when it is cleared: Airflow looks at what the branch said.
  if (wasStopped) for (const taskId of idsOf(new Set(['skipped']))) behind.add(taskId);
  const begun = new Set(instances.map(({ taskId }) => taskId));
  return {
    failed: [...failed].filter((taskId) => begun.has(taskId)),
    behind: [...behind].filter((taskId) => begun.has(taskId) && !failed.has(taskId)),
  };
}

/** Everything that lies behind these tasks. */
function closure(from: ReadonlySet<string>, tasks: readonly AirflowTask[]): Set<string> {
  const downstream = new Map(tasks.map((task) => [task.taskId, task.downstream]));
  const behind = new Set<string>();
  const open = [...from];
  for (let taskId = open.pop(); taskId !== undefined; taskId = open.pop()) {
    for (const next of downstream.get(taskId) ?? []) {
      if (behind.has(next)) continue;
      behind.add(next);
      open.push(next);
    }
  }
  return behind;
}

function gone({ api, dagId }: DagPlace, id: string): PlumblineError {
  return new PlumblineError('ERR_RUN_LOST', `Airflow at ${api.url} has no run ${id} of the DAG ${dagId} any more`, {
    remedy: 'Set onExistingRun to adopt: a new run is started.',
  });
}

function nothingToClear({ api, dagId }: DagPlace, id: string): PlumblineError {
  return new PlumblineError(
    'ERR_RUN_FAILED',
    `The run ${id} of the DAG ${dagId} at ${api.url} cannot go on: it has no failed task that could be cleared`,
    { remedy: 'Set onExistingRun to adopt: a new run is started.' },
  );
}
