import { readdirSync, readFileSync, statSync } from 'node:fs';
import { identifyProcess, isAlive, type ProcessIdentity, sendSignal } from '#engines/luigi/process-identity.ts';

/**
 * Kills a process and all below it. The supervisor takes in every orphan of its run, so that this finds what no longer carries the
 * run's mark too; once it is dead, only the mark is left.
 * @param uid nothing of another user is touched
 */
export async function endDescendants(root: ProcessIdentity, uid: number | undefined): Promise<void> {
  const all = [root, ...below(root.pid)].filter(({ pid }) => uid === undefined || ownerOf(pid) === uid);
  // The root first: what it has left to start, it does not start any more.
  for (const one of all) if (isAlive(one)) sendSignal(one.pid, 'SIGKILL');
}

function below(root: number): ProcessIdentity[] {
  const parents = parentsOfAll();
  const found: number[] = [root];
  for (const pid of found) for (const [child, parent] of parents) if (parent === pid) found.push(child);
  return found.slice(1).flatMap((pid) => identifyProcess(pid) ?? []);
}

/** Field 4 of /proc/PID/stat, see proc(5). Empty on other systems. */
function parentsOfAll(): Map<number, number> {
  if (process.platform !== 'linux') return new Map();
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return new Map(pids.map((pid) => [Number(pid), parentOf(pid)]));
}

function parentOf(pid: string): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    // It has gone.
    return 0;
  }
}

function ownerOf(pid: number): number | undefined {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid;
}
