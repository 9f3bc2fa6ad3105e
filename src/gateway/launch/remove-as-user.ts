import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { asUser } from './switching-users.ts';
import type { UnixUser } from './unix-user.ts';

const LONGEST_MS = 120_000;
/** Folders that their owner may not enter are opened first. Neither follows links. The folder itself is not the user's to remove. */
const EMPTY = 'chmod -R u+rwX -- "$1"; rm -rf -- "$1"; true';

/**
 * Deletes what a user has in a folder, as that user: whatever links it puts in the way of the deletion, nothing is deleted that
 * it could not have deleted itself.
 */
export async function removeAsUser(user: UnixUser, path: string): Promise<void> {
  const { command, args, ...ids } = asUser(user, '/bin/sh', ['-c', EMPTY, 'sh', path]);
  const options = { ...ids, cwd: '/', env: { PATH: '/usr/bin:/bin' }, timeout: LONGEST_MS };
  await promisify(execFile)(command, args, options);
}
