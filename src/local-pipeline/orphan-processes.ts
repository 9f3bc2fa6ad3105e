import { readdirSync, readFileSync } from 'node:fs';

export interface OrphanProcess {
  readonly pid: number;
  readonly name: string;
}

/** The variable by which an agent recognises what a job left behind. */
export const LOOKUP_VARIABLE = 'VSTS_PROCESS_LOOKUP_ID';

/**
 * Ends every process that carries the job's lookup id in its environment, as the agent does at the end of a job, and
 * says which they were. Linux only; elsewhere nothing is found.
 */
export function endOrphans(lookupId: string): OrphanProcess[] {
  const orphans = processIds().filter(
    (pid) => pid !== process.pid && environmentOf(pid).includes(`${LOOKUP_VARIABLE}=${lookupId}`),
  );
  return orphans.map((pid) => {
    const name = nameOf(pid);
    kill(pid);
    return { pid, name };
  });
}

function processIds(): number[] {
  return process.platform === 'linux'
    ? readdirSync('/proc')
        .filter((name) => /^\d+$/.test(name))
        .map(Number)
    : [];
}

/** A process of somebody else, or one that has just ended, has no environment for us. */
function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\u0000');
  } catch {
    return [];
  }
}

function nameOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
  } catch {
    return 'ended';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
