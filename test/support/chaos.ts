import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, openSync, readdirSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunRef } from '#core/run.ts';
import { isAlive, sendSignal } from '#engines/luigi/process-identity.ts';
import { RunDirectory } from '#engines/luigi/run-directory.ts';

export const SIGNALS = ['SIGKILL', 'SIGTERM', 'SIGSTOP'] as const;
export const VICTIMS = ['supervisor', 'worker', 'child'] as const;

export interface Blow {
  readonly victim: (typeof VICTIMS)[number];
  readonly signal: (typeof SIGNALS)[number];
  /** From 0 to 1: which of several. */
  readonly which: number;
}

/** Strikes a process of a run, if there is such a one by now; whether there was. */
export function strike(ref: RunRef, { victim, signal, which }: Blow): boolean {
  const known = new RunDirectory(ref.handle).record()?.supervisor;
  // Pids are soon used again: a run that has ended must not cost somebody else a process.
  const supervisor = known && isAlive(known) ? known.pid : undefined;
  const [worker] = supervisor === undefined ? [] : childrenOf(supervisor);
  const children = worker === undefined ? [] : below(worker);
  const child = children[Math.floor(which * children.length)];
  const pid = { supervisor, worker, child }[victim];
  return pid !== undefined && sendSignal(pid, signal);
}

/** Processes that this one forked and that have not been taken over by another. */
export function childrenOf(pid: number): readonly number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number),
    );
  } catch {
    // It has gone.
    return [];
  }
}

function below(pid: number): readonly number[] {
  return childrenOf(pid).flatMap((child) => [child, ...below(child)]);
}

/** A small disk of its own at this folder; false for a user who may not mount. */
export function mountSmall(folder: string, size = '128k'): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

export function unmount(folder: string): void {
  execFileSync('umount', ['-l', folder]);
}

/** Fills the disk that holds this folder; frees it again after `freeAfterMs`, when that is given. */
export async function fillDisk(folder: string, freeAfterMs?: number): Promise<void> {
  const path = join(folder, 'fill');
  const descriptor = openSync(path, 'w');
  try {
    while (writeSync(descriptor, Buffer.alloc(4_096)) > 0);
  } catch {
    // It is full.
  }
  closeSync(descriptor);
  if (freeAfterMs === undefined) return;
  await sleep(freeAfterMs);
  rmSync(path, { force: true });
}

/** Cuts a file at a random place: what stood behind is gone. */
export function cutFile(path: string, which: number): void {
  const descriptor = openSync(path, 'r+');
  ftruncateSync(descriptor, Math.floor(which * statSync(path).size));
  closeSync(descriptor);
}
