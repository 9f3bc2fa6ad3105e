import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Host } from '#core/host.ts';

/** Plumbline's own folder (0700) in the job's temporary folder, which the agent empties before and after each job. */
export function stateDirectory(host: Host): string {
  const path = join(host.variable('Agent.TempDirectory') ?? tmpdir(), 'plumbline');
  mkdirSync(path, { recursive: true, mode: 0o700 });
  return path;
}

/** The folder below which each run has one of its own. */
export function runsDirectory(host: Host): string {
  return join(stateDirectory(host), 'runs');
}
