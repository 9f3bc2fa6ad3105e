import { statSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PlumblineError } from '#core/errors.ts';
import { auditUnavailable } from './audit-unavailable.ts';

/** Held by one process; the system takes it back when that process ends, however it ends. */
export interface LogLock {
  /** @throws when the lock's file is not the one that was locked: another process may hold the new one */
  assertHeld(): void;
  release(): void;
}

export const LOCK_FILE = 'lock';
const SQLITE_BUSY = 5;

/**
 * One writer for a log. Node has no `flock`; SQLite's lock on an empty file of its own is a lock of the kernel too.
 * @throws {PlumblineError} `ERR_AUDIT_IN_USE`, `ERR_AUDIT_UNAVAILABLE`
 */
export function lockLog(directory: string): LogLock {
  const path = join(directory, LOCK_FILE);
  const held = take(directory, path);
  const { ino, dev } = statSync(path);
  return {
    assertHeld: () => {
      const now = statSync(path, { throwIfNoEntry: false });
      if (now?.ino !== ino || now.dev !== dev) throw new Error('its lock was removed while this process held it');
    },
    release: () => held.close(),
  };
}

function take(directory: string, path: string): DatabaseSync {
  let held: DatabaseSync | undefined;
  try {
    held = new DatabaseSync(path, { timeout: 0 });
    held.exec('BEGIN EXCLUSIVE');
    return held;
  } catch (thrown) {
    held?.close();
    throw isBusy(thrown) ? inUse(directory) : unavailable(directory, thrown);
  }
}

function isBusy(thrown: unknown): boolean {
  return (thrown as { errcode?: number }).errcode === SQLITE_BUSY;
}

function inUse(directory: string): PlumblineError {
  return new PlumblineError(
    'ERR_AUDIT_IN_USE',
    `The audit log in ${directory} is not opened: another process writes it`,
    {
      remedy: 'Give each gateway a state directory of its own, or end the other one first.',
      details: { directory },
    },
  );
}

function unavailable(directory: string, thrown: unknown): PlumblineError {
  const why = thrown instanceof Error ? thrown.message : String(thrown);
  return auditUnavailable(`The audit log in ${directory} cannot be locked`, why, thrown);
}
