import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';

const POLL_MS = 200;

/**
 * Waits until no other living process of this machine holds the folder, which is made when it is missing.
 * @param {string} folder
 * @returns {Promise<() => void>} gives the folder back
 */
export async function lockFolder(folder) {
  mkdirSync(folder, { recursive: true });
  const lock = resolve(folder, '.set-up-by');
  while (!acquire(lock)) await setTimeout(POLL_MS);
  return () => rmSync(lock, { force: true });
}

/** @param {string} lock */
function acquire(lock) {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    if (!isAlive(holderOf(lock))) rmSync(lock, { force: true });
    return false;
  }
}

/** @param {string} lock */
function holderOf(lock) {
  try {
    return Number(readFileSync(lock, 'utf8'));
  } catch {
    return 0;
  }
}

/**
 * A lock file that is still empty has a holder that has not written its number yet.
 * @param {number} pid
 */
function isAlive(pid) {
  if (pid === 0) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM';
  }
}
