import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** A process that no later one with the same pid can be taken for. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque: when it started. */
  readonly started: string;
}

/** `undefined` when there is no such process, or it has ended and only waits to be collected. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const started = process.platform === 'linux' ? startOnLinux(pid) : startByPs(pid);
  return started === undefined ? undefined : { pid, started };
}

export function isAlive({ pid, started }: ProcessIdentity): boolean {
  return identifyProcess(pid)?.started === started;
}

/** Sends a signal to a process, or with a negative pid to a group; whether there was one to send it to. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ESRCH' || error.code === 'EPERM')) return false;
    throw error;
  }
}

/** Fields 3 (state) and 22 (start in ticks since boot) of /proc/PID/stat, see proc(5); the second field may hold anything. */
function startOnLinux(pid: number): string | undefined {
  const stat = readProcessFile(`/proc/${pid}/stat`)?.toString('latin1');
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields === undefined || fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
}

/** A file of /proc; `undefined` when the process has gone or is another user's. */
export function readProcessFile(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && GONE.has(String(error.code))) return undefined;
    throw error;
  }
}

const GONE: ReadonlySet<string> = new Set(['ENOENT', 'ESRCH', 'EACCES', 'EPERM']);

function startByPs(pid: number): string | undefined {
  try {
    const line = execFileSync('ps', ['-o', 'state=,lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return line === '' || line.startsWith('Z') ? undefined : line.replace(/^\S+\s+/, '');
  } catch (error) {
    if (error instanceof Error && 'status' in error && error.status === 1) return undefined;
    throw error;
  }
}
