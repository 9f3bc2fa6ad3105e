import type { AirflowApi, AirflowDag, AirflowHealth } from './airflow-api.ts';

export interface QueuedRun {
  readonly api: Pick<AirflowApi, 'dag' | 'runningRuns' | 'health'>;
  readonly dagId: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** What was seen when it was started. */
  readonly warning?: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Why a run stays queued, as far as the server tells; what it does not tell is left out, and nothing that goes wrong matters.
 * @returns clauses for a sentence, the most telling first
 */
export async function queueReasons(queued: QueuedRun): Promise<readonly string[]> {
  const { api, dagId, signal, now, warning } = queued;
  const [dag, running, health] = await Promise.all([
    told(api.dag(dagId, signal), signal),
    told(api.runningRuns(dagId, signal), signal),
    told(api.health(signal), signal),
  ]);
  const reasons = [...schedulerReasons(health, now), ...dagReasons(dag, running)];
  if (reasons.length > 0) return reasons;
  return warning === undefined ? [] : [warning];
}

async function told<Value>(asked: Promise<Value>, signal: AbortSignal): Promise<Value | undefined> {
  try {
    return await asked;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

function dagReasons(dag: AirflowDag | undefined, running: number | undefined): readonly string[] {
  if (dag === undefined) return [];
  const { isPaused, isStale, maxActiveRuns } = dag;
  const isFull = maxActiveRuns !== undefined && running !== undefined && running >= maxActiveRuns;
  return [
    ...(isPaused ? ['the DAG is paused'] : []),
    ...(isStale ? ['no file has the DAG any more'] : []),
    ...(isFull ? [`${running} of its runs are running, and its max_active_runs is ${maxActiveRuns}`] : []),
  ];
}

function schedulerReasons(health: AirflowHealth | undefined, now: number): readonly string[] {
  if (health?.scheduler === undefined || health.scheduler === 'healthy') return [];
  const { schedulerHeartbeat: at } = health;
  const since = at === undefined ? 'it has never been heard of' : `it was last heard of ${seconds(now - at)} s ago`;
  return [
    `Airflow says that its scheduler is ${health.scheduler} (${since}; after a restart that can be half a minute old)`,
  ];
}

function seconds(ms: number): number {
  return Math.max(0, Math.round(ms / 1_000));
}
