import { basename } from 'node:path';
import { LuigiRun } from './luigi-run.ts';
import { RunDirectory } from './run-directory.ts';
import { endStrays } from './stray-processes.ts';

export interface CleanUp {
  /** Whether the run was still going. */
  readonly stopped: boolean;
  /** Processes that were found, helpers of user code included. */
  readonly found: number;
  /** What could not be ended; `undefined` when this platform cannot tell. */
  readonly left: number | undefined;
}

const GRACE_MS = 1_000;

/** The handle of the run of this id below `runsDirectory`; `undefined` when there is none. */
export function findLuigiRun(runsDirectory: string, id: string): string | undefined {
  const directory = RunDirectory.of(runsDirectory, id);
  return directory.exists() ? directory.path : undefined;
}

/**
 * For the post-job handler, from another process than the one that started the run: stops it if it still goes, ends every
 * process that it left, and removes its secrets. A folder that is gone has nothing to clean up. Where the run's record cannot
 * be read, its processes are known by the name of the folder, which is the run's id for every id that `runKey` gives.
 * @param handle `RunRef.handle` of a run of the engine `luigi-agent`
 */
export async function cleanUpLuigiRun(handle: string): Promise<CleanUp> {
  const directory = new RunDirectory(handle);
  if (!directory.exists()) return { stopped: false, found: 0, left: 0 };
  const record = directory.record();
  const run = record && new LuigiRun(directory, record);
  const isGoing = run !== undefined && !run.isOver();
  // A stop that fails must not keep the rest from being done.
  const [stop] = await Promise.allSettled([isGoing && run.stop('cancelled')]);
  const sweep = await endStrays(record?.id ?? basename(handle), { graceMs: GRACE_MS, group: record?.supervisor?.pid });
  directory.removeSecrets();
  if (stop.status === 'rejected') throw stop.reason;
  return { stopped: isGoing, ...sweep };
}
