import { spawnSync } from 'node:child_process';
import { accessSync, chmodSync, cpSync, existsSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { preparedVersions, pythonOf } from '../../scripts/python-environments.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** A user without any rights, in no user database. */
const SOMEBODY = { uid: 61_001, gid: 61_001, cwd: '/' };

/** What workers of other Unix users need, where every user can reach it. */
export interface PlaceForOthers {
  readonly folder: string;
  readonly python: string;
  /** Luigi and the tasks of test/fixtures/luigi. */
  readonly modulePath: readonly string[];
  readonly workerPath: string;
}

let known: PlaceForOthers | undefined;

/**
 * Copies, because the checkout, its Python environments and the temporary folder may lie below a folder that only root may
 * enter. Made once for a process and removed at its end.
 */
export function placeForOthers(): PlaceForOthers {
  known ??= makePlace();
  return known;
}

function makePlace(): PlaceForOthers {
  const folder = folderForOthers('plumbline-others-');
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const version = preparedVersions(ROOT, 'luigi').find((one) => isStartable(interpreterOf(one)));
  const copied = version ?? preparedVersions(ROOT, 'luigi')[0] ?? '';
  const python = version ? interpreterOf(version) : copyOfInterpreter(interpreterOf(copied), folder);
  const packages = join(dirname(pythonOf(ROOT, 'luigi', copied)), '../lib', `python${copied}`);
  const modulePath = [join(folder, 'tasks'), join(folder, 'site-packages')];
  cpSync(join(packages, 'site-packages'), join(folder, 'site-packages'), { recursive: true });
  cpSync(join(ROOT, 'test/fixtures/luigi'), join(folder, 'tasks'), { recursive: true });
  cpSync(join(ROOT, 'src/worker/plumbline_luigi'), join(folder, 'worker/plumbline_luigi'), { recursive: true });
  return { folder, python, modulePath, workerPath: join(folder, 'worker/plumbline_luigi') };
}

/** A new folder (0755) that every user can reach; whoever makes it removes it. */
export function folderForOthers(prefix: string): string {
  const folder = mkdtempSync(join(openFolder(), prefix));
  chmodSync(folder, 0o755);
  return folder;
}

/** The first folder for temporary files in which another user finds what lies there. */
function openFolder(): string {
  const found = [tmpdir(), '/tmp', '/var/tmp'].find((path) => existsSync(path) && canEnter(path));
  if (found === undefined) throw new Error('No folder for temporary files is open to every user');
  return found;
}

function canEnter(path: string): boolean {
  return spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', path], SOMEBODY).status === 0;
}

/** The program that an environment's `python` stands for. */
function interpreterOf(version: string): string {
  return realpathSync(pythonOf(ROOT, 'luigi', version));
}

function isStartable(python: string): boolean {
  return spawnSync(python, ['-c', 'import ctypes, json, multiprocessing'], SOMEBODY).status === 0;
}

/** With its standard library: it lies in the home of root. */
function copyOfInterpreter(python: string, folder: string): string {
  const library = join(dirname(dirname(python)), 'lib');
  const name = readdirSync(library).find((one) => /^python3\.\d+$/.test(one)) ?? '';
  const isNeeded = (path: string) => !['test', 'site-packages', 'idlelib', '__pycache__'].includes(basename(path));
  cpSync(join(library, name), join(folder, 'python/lib', name), { recursive: true, filter: isNeeded });
  const copy = join(folder, 'python/bin', basename(python));
  cpSync(python, copy);
  accessSync(copy);
  if (!isStartable(copy)) throw new Error(`A copy of ${basename(python)} cannot be started by other users`);
  return copy;
}
