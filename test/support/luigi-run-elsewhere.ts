import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { RunRef } from '#core/run.ts';

const PROGRAM = fileURLToPath(new URL('./start-luigi-run.ts', import.meta.url));

export interface RunElsewhere {
  /** Started the run, and follows it. */
  readonly owner: ChildProcess;
  readonly exited: Promise<unknown>;
  readonly ref: RunRef;
}

/** Starts a run from a process of its own; resolves when its task has said something of itself. */
export async function startElsewhere(folder: string, id: string, task: string, changes = {}): Promise<RunElsewhere> {
  const args = [PROGRAM, folder, id, task, JSON.stringify(changes)];
  const owner = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(owner, 'exit');
  const first = await Promise.race([
    once(createInterface({ input: owner.stdout }), 'line'),
    exited.then(() => undefined),
  ]);
  if (first === undefined) throw new Error(`The owner of the run ${id} ended before its task said anything.`);
  return { owner, exited, ref: JSON.parse(first[0]) };
}
