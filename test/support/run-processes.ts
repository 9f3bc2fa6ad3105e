import { readdirSync, readFileSync } from 'node:fs';

/** A process as /proc shows it. */
export interface SeenProcess {
  readonly pid: number;
  readonly command: string;
}

/** Every process that carries the id of a run, or of one of its retries, in its environment. */
export function processesOfRun(runId: string): readonly SeenProcess[] {
  return processesMarked([`PLUMBLINE_RUN_ID=${runId}\0`, `PLUMBLINE_RUN_ID=${runId}~`]);
}

/** Every process in whose environment one of these texts begins a variable. */
export function processesMarked(beginnings: readonly string[]): readonly SeenProcess[] {
  const markers = beginnings.map((beginning) => `\0${beginning}`);
  return processIds().flatMap((pid) => {
    const environment = `\0${read(pid, 'environ')}`;
    return markers.some((marker) => environment.includes(marker)) && isAlive(pid)
      ? [{ pid, command: commandOf(pid) }]
      : [];
  });
}

/** Whether there is such a process and it has not ended. */
export function isAlive(pid: number): boolean {
  const state = read(pid, 'stat').replace(/^.*\) /s, '')[0];
  return state !== undefined && state !== 'Z' && state !== 'X';
}

/** The arguments of every process on this machine. */
export function commandLines(): readonly string[] {
  return processIds().map(commandOf);
}

function commandOf(pid: number): string {
  return read(pid, 'cmdline').replaceAll('\0', ' ').trim();
}

function processIds(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

/** Empty when the process has gone. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
