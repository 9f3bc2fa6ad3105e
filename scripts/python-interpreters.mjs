import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, resolve } from 'node:path';
import { SetUpError } from './node-packages.mjs';

/** @typedef {{ version: string, path: string }} Python `version` is `3.12`; `path` is absolute. */

/** What Luigi declares (`>=3.10,<3.14`), in the order we prefer. */
export const SUPPORTED_PYTHONS = ['3.13', '3.12', '3.11', '3.10'];

const PROBE =
  'import sys; print(sys.implementation.name, sys.abiflags or "-", "%d.%d" % sys.version_info[:2], sys.executable)';

/**
 * Every supported CPython of this machine, one for each version, newest first: from PATH, then from pyenv.
 * @returns {Promise<Python[]>}
 */
export async function findPythons() {
  const candidates = [...pythonsInPath(), ...pythonsOfPyenv()];
  const found = (await Promise.all(candidates.map(probe))).filter((python) => python !== undefined);
  return SUPPORTED_PYTHONS.flatMap((version) => found.find((python) => python.version === version) ?? []);
}

/**
 * @param {Python[]} pythons
 * @returns {Python[]}
 */
export function requirePython(pythons) {
  if (pythons.length > 0) return pythons;
  const others = pythonsInPath().flatMap(
    (path) => spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout?.trim() || [],
  );
  const found = others.length > 0 ? `only ${[...new Set(others)].join(', ')} is there` : 'there is none';
  throw new SetUpError(
    `Python ${SUPPORTED_PYTHONS.at(-1)} to ${SUPPORTED_PYTHONS[0]} is needed, because Luigi runs on no other; in PATH and pyenv ${found}. ` +
      'Install one, for example with "apt-get install python3 python3-venv", "brew install python@3.12" or "pyenv install 3.12".',
  );
}

/**
 * @param {Python[]} found
 * @param {{ pythons: string[], why: string }} wanted versions, the better one first
 * @returns {Python}
 */
export function requireOneOf(found, { pythons, why }) {
  const best = pythons.map((version) => found.find((python) => python.version === version)).find((one) => one);
  if (best) return best;
  throw new SetUpError(
    `Python ${pythons.join(' or ')} is needed, because ${why}; in PATH and pyenv there is ${found.map(({ version }) => version).join(', ')}. ` +
      `Install one, for example with "pyenv install ${pythons[0]}", "uv python install ${pythons[0]}" or "brew install python@${pythons[0]}".`,
  );
}

function pythonsInPath() {
  // pyenv's shims start a shell each and fail for versions that are not active; its versions are looked up directly.
  const folders = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder && !/\bshims$/.test(folder));
  const names = [...SUPPORTED_PYTHONS.map((version) => `python${version}`), 'python3', 'python'];
  return names.flatMap((name) => folders.map((folder) => resolve(folder, name))).filter((path) => existsSync(path));
}

function pythonsOfPyenv() {
  const versions = resolve(process.env['PYENV_ROOT'] ?? resolve(homedir(), '.pyenv'), 'versions');
  if (!existsSync(versions)) return [];
  const names = readdirSync(versions).filter((name) =>
    SUPPORTED_PYTHONS.some((version) => name.startsWith(`${version}.`)),
  );
  return names.map((name) => resolve(versions, name, 'bin/python')).filter((path) => existsSync(path));
}

/**
 * @param {string} path
 * @returns {Promise<Python | undefined>}
 */
function probe(path) {
  return new Promise((done) => {
    execFile(path, ['-I', '-c', PROBE], { timeout: 10_000 }, (error, stdout) => {
      const [name, flags, version, executable] = error ? [] : stdout.trim().split(' ');
      // Luigi is not built for free-threaded Python ("t").
      const usable = name === 'cpython' && version && executable && !flags?.includes('t');
      done(usable ? { version, path: executable } : undefined);
    });
  });
}
