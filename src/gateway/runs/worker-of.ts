import type { Worker } from '../workers/worker.ts';
import type { StoredRun } from './run-row.ts';

/** An attempt of a run as a worker; `undefined` when the run has ended and nobody's permission is left. */
export function workerOf({ record, caller }: StoredRun, attempt: number): Worker | undefined {
  if (caller === undefined) return undefined;
  const { id: runId, specification } = record;
  return { id: `${runId}.${attempt}`, kind: 'run', runId, attempt, caller, role: specification.role };
}
