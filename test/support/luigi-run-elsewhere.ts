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
  const [line] = await once(createInterface({ input: owner.stdout }), 'line');
  return { owner, exited, ref: JSON.parse(line) };
}
