import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Of Linux. */
const TICKS_PER_SECOND = 100;

/** Microseconds that a process and all below it have used, in user and in system mode. */
export function cpuMicroseconds(pid: number): number {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  const known = new Map(all.map((name) => [Number(name), timesOf(name)]));
  const isBelow = (one: number): boolean => one === pid || (one > 1 && isBelow(known.get(one)?.parent ?? 0));
  const ticks = [...known].filter(([one]) => isBelow(one)).reduce((sum, [, times]) => sum + (times?.ticks ?? 0), 0);
  return (ticks * 1_000_000) / TICKS_PER_SECOND;
}

function timesOf(pid: string): { readonly parent: number; readonly ticks: number } | undefined {
  try {
    // The name may hold anything; behind its bracket nothing does.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
  } catch {
    // It has ended since.
    return undefined;
  }
}

/** Keeps a process on the first core, or on the last one; where the system cannot, it stays where it is. */
export function pin(pid: number | undefined, where: 'first' | 'last'): void {
  const core = String(where === 'first' ? 0 : availableParallelism() - 1);
  spawnSync('taskset', ['--all-tasks', '--cpu-list', '--pid', core, String(pid)], { stdio: 'ignore' });
}
