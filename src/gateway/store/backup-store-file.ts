import { closeSync, openSync, renameSync, rmSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { PlumblineError } from '#core/errors.ts';
import { checkStoreFile } from './store.ts';
import { isStoreTrouble, storeUnavailable } from './store-error.ts';

/** Longer than any transaction of a gateway. */
const WAIT_MS = 10_000;

/**
 * Copies a store of which a gateway may be the owner right now, from a process of its own: one read of the whole as it stands
 * at one moment, which holds up no writer. The copy is 0600 and is checked before it gets its name; a file that has this name
 * already stays as it is.
 *
 * @throws {PlumblineError} `ERR_STORE_UNAVAILABLE`
 */
export function backupStoreFile(file: string, target: string): { readonly version: number; readonly runs: number } {
  const unfinished = `${target}.unfinished`;
  checkStoreFile(file);
  reserve(target);
  try {
    reserve(unfinished);
    copy(file, unfinished);
    const checked = checkStoreFile(unfinished);
    renameSync(unfinished, target);
    return checked;
  } catch (thrown) {
    for (const path of [unfinished, target]) rmSync(path, { force: true });
    throw isStoreTrouble(thrown) ? storeUnavailable(target, thrown) : thrown;
  }
}

function copy(file: string, target: string): void {
  const database = new DatabaseSync(file, { readOnly: true, timeout: WAIT_MS });
  try {
    database.prepare('VACUUM INTO ?').run(target);
  } finally {
    database.close();
  }
}

/** Makes the file, so that nobody else's rights come into it and nobody else's file is replaced. */
function reserve(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === 'EEXIST' ? 'it is there already' : (code ?? 'it cannot be made');
    throw new PlumblineError('ERR_STORE_UNAVAILABLE', `Cannot write the backup ${path}: ${why}`, {
      remedy: 'Name a file that is not there yet, in a folder that this user may write.',
      details: { reason: code },
      cause,
    });
  }
}
