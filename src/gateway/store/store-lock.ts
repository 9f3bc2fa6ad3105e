import { DatabaseSync } from 'node:sqlite';
import { PlumblineError } from '#core/errors.ts';
import { isLocked, storeUnavailable } from './store-error.ts';

/** Held by one process; the system takes it back when that process ends, however it ends. */
export interface StoreLock {
  release(): void;
}

/**
 * Takes the lock beside a store. It is SQLite's own lock on a file of its own, so that it works wherever the store works, and
 * a backup or a look at the store itself is not kept away by it.
 *
 * @throws {PlumblineError} `ERR_STORE_IN_USE`, `ERR_STORE_UNAVAILABLE`
 */
export function lockStore(storeFile: string): StoreLock {
  let held: DatabaseSync | undefined;
  try {
    held = new DatabaseSync(`${storeFile}.lock`, { timeout: 0 });
    held.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (thrown) {
    held?.close();
    throw isLocked(thrown) ? inUse(storeFile) : storeUnavailable(storeFile, thrown);
  }
  const database = held;
  return { release: () => database.close() };
}

function inUse(storeFile: string): PlumblineError {
  return new PlumblineError('ERR_STORE_IN_USE', `Cannot use the store ${storeFile}: another gateway uses it`, {
    remedy: 'Give each gateway a state directory of its own, or end the other one first.',
    details: { store: storeFile },
  });
}
