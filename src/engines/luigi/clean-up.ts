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
  return directory.record() && directory.path;
}

/**
 * For the post-job handler, from another process than the one that started the run: stops it if it still goes, ends every
 * process that it left, and removes its secrets. A folder that is gone has nothing to clean up.
 * @param handle `RunRef.handle` of a run of the engine `luigi-agent`
 */
export async function cleanUpLuigiRun(handle: string): Promise<CleanUp> {
  const directory = new RunDirectory(handle);
  const record = directory.record();
  if (!record) return { stopped: false, found: 0, left: 0 };
  const run = new LuigiRun(directory, record);
  const isGoing = !run.isOver();
  if (isGoing) await run.stop('cancelled');
  const sweep = await endStrays(record.id, { graceMs: GRACE_MS, group: record.supervisor?.pid });
  directory.removeSecrets();
  return { stopped: isGoing, ...sweep };
}
