import { readdirSync, statSync } from 'node:fs';
import { systemClock } from '#core/clock.ts';
import { identifyProcess, isAlive, type ProcessIdentity, readProcessFile, sendSignal } from './process-identity.ts';

/** Carried by every process of a run, whatever it did to its group, its session or its parents. */
export const RUN_MARKER = 'PLUMBLINE_RUN_ID';

const LOOK_EVERY_MS = 50;
const KILL_TIME_MS = 1_000;

/** What became of a run's processes. */
export interface Sweep {
  /** Processes that were there. */
  readonly found: number;
  /** Still there afterwards; `undefined` when this platform cannot tell. */
  readonly left: number | undefined;
}

/**
 * The processes of a run that can be seen: by their environment on Linux; elsewhere nothing is known.
 * @param uid only those of this user: an environment is whatever its process says
 */
export function findStrays(runId: string, uid?: number): readonly ProcessIdentity[] {
  if (process.platform !== 'linux') return [];
  const marker = Buffer.from(`\0${RUN_MARKER}=${runId}\0`);
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((name) => uid === undefined || ownerOf(name) === uid)
    .flatMap((name) => (isMarked(name, marker) ? (identifyProcess(Number(name)) ?? []) : []));
}

function ownerOf(pid: string): number | undefined {
  return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid;
}

function isMarked(pid: string, marker: Buffer): boolean {
  const environment = readProcessFile(`/proc/${pid}/environ`);
  return environment !== undefined && Buffer.concat([Buffer.of(0), environment, Buffer.of(0)]).includes(marker);
}

/**
 * The last net: ends what is left of a run, whoever its parent is by now. `graceMs` after SIGTERM comes SIGKILL; 0: at once.
 * @param group process group of the run's supervisor; all that can be reached on macOS
 */
export async function endStrays(
  runId: string,
  { graceMs, group, uid }: { graceMs: number; group?: number | undefined; uid?: number | undefined },
): Promise<Sweep> {
  const found = findStrays(runId, uid);
  if (process.platform !== 'linux') {
    if (group !== undefined) await endGroup(group, graceMs);
    return { found: 0, left: undefined };
  }
  if (graceMs > 0) {
    for (const { pid } of found) sendSignal(pid, 'SIGTERM');
    await untilGone(found, graceMs);
  }
  return { found: found.length, left: await killAll(runId, uid) };
}

/** SIGKILL until nothing new appears: what is being killed may still fork. */
async function killAll(runId: string, uid: number | undefined): Promise<number> {
  const end = Date.now() + KILL_TIME_MS;
  let strays = findStrays(runId, uid);
  while (strays.length > 0 && Date.now() < end) {
    for (const { pid } of strays) sendSignal(pid, 'SIGKILL');
    await untilGone(strays, LOOK_EVERY_MS);
    strays = findStrays(runId, uid);
  }
  return strays.length;
}

async function endGroup(group: number, graceMs: number): Promise<void> {
  if (graceMs > 0 && sendSignal(-group, 'SIGTERM')) await systemClock.sleep(graceMs);
  sendSignal(-group, 'SIGKILL');
}

async function untilGone(processes: readonly ProcessIdentity[], ms: number): Promise<void> {
  const end = Date.now() + ms;
  while (Date.now() < end && processes.some(isAlive)) await systemClock.sleep(Math.min(LOOK_EVERY_MS, ms));
}
