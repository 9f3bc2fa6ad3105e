import { constants, lstatSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PlumblineError } from '#core/errors.ts';
import type { Host } from '#core/host.ts';

const { S_IFMT: KIND, S_IFDIR: FOLDER } = constants;
const OTHERS_WRITE = 0o022;

/**
 * Plumbline's own folder (0700) in the job's temporary folder, which the agent empties before and after each job.
 * @throws {PlumblineError} `ERR_PLATFORM_UNSUPPORTED` when something else of that name lies there, e.g. a planted link
 */
export function stateDirectory(host: Host): string {
  const path = join(host.variable('Agent.TempDirectory') ?? tmpdir(), 'plumbline');
  mkdirSync(path, { recursive: true, mode: 0o700 });
  const { uid, mode } = lstatSync(path);
  // On Windows there is no owner to compare and the mode says nothing; the agent's folder has its own access list there.
  const isOwn = process.getuid === undefined || (uid === process.getuid() && (mode & OTHERS_WRITE) === 0);
  if (isOwn && (mode & KIND) === FOLDER) return path;
  throw new PlumblineError(
    'ERR_PLATFORM_UNSUPPORTED',
    `Will not use ${path}: others can write to it, or it is a link`,
    {
      remedy:
        "Let the agent empty its temporary folder before the job, and give no other user access to the agent's work folder.",
    },
  );
}

/** The folder below which each run has one of its own. */
export function runsDirectory(host: Host): string {
  return join(stateDirectory(host), 'runs');
}
