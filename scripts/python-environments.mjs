import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { lockFolder } from './folder-lock.mjs';
import { SetUpError, seconds } from './node-packages.mjs';

/** @typedef {import('./python-interpreters.mjs').Python} Python */
/** @typedef {{ lock: string, python: Python }} Wanted an environment: the requirements of scripts/python/<lock>.txt on a Python */

const MARKER = '.plumbline-lock';

/**
 * @param {string} root
 * @param {Wanted} wanted
 */
export function environmentFolder(root, { lock, python }) {
  return resolve(root, '.cache/python', `${lock}-${python.version}`);
}

/**
 * The Python of an environment that set-up prepared, for scripts and tests.
 * @param {string} root folder of the repository
 * @param {string} lock name of a file in scripts/python, without `.txt`
 * @param {string} [version] `3.12`; the newest there is when left out
 * @returns {string} absolute path
 * @throws {SetUpError} when it was not prepared
 */
export function pythonOf(root, lock, version) {
  const wanted = version ?? preparedVersions(root, lock)[0] ?? '*';
  const path = resolve(root, '.cache/python', `${lock}-${wanted}`, 'bin/python');
  if (existsSync(path)) return path;
  throw new SetUpError(
    `The Python environment ${lock}-${wanted} is missing. Prepare it with "npm run setup -- ${lock}".`,
  );
}

/**
 * The Python versions for which set-up prepared an environment, newest first.
 * @param {string} root
 * @param {string} lock
 * @returns {string[]}
 */
export function preparedVersions(root, lock) {
  const folder = resolve(root, '.cache/python');
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder).filter(
    (name) => name.startsWith(`${lock}-3.`) && existsSync(resolve(folder, name, MARKER)),
  );
  return names.map((name) => name.slice(lock.length + 1)).sort((a, b) => Number(b.slice(2)) - Number(a.slice(2)));
}

/**
 * @param {string} root
 * @param {Wanted[]} wanted
 */
export function missingEnvironments(root, wanted) {
  return wanted.filter((one) => {
    const marker = resolve(environmentFolder(root, one), MARKER);
    return !existsSync(marker) || readFileSync(marker, 'utf8') !== fingerprint(root, one);
  });
}

/**
 * @param {string} root
 * @param {Wanted[]} missing
 */
export async function prepareEnvironments(root, missing) {
  if (missing.length === 0) return;
  const unlock = await lockFolder(resolve(root, '.cache/python'));
  // uv leaves lock files behind where temporary files are.
  const scratch = mkdtempSync(resolve(root, '.cache/python/tmp-'));
  try {
    // Another set-up may have made some of them while this one waited.
    prepareUnlocked(root, missingEnvironments(root, missing), scratch);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
    unlock();
  }
}

/**
 * @param {string} root
 * @param {Wanted[]} missing
 * @param {string} scratch folder for temporary files
 */
function prepareUnlocked(root, missing, scratch) {
  if (missing.length === 0) return;
  const uv = obtainUv(root, [...new Set(missing.map(({ python }) => python.path))]);
  for (const one of missing) {
    const started = Date.now();
    const folder = environmentFolder(root, one);
    rmSync(folder, { recursive: true, force: true });
    createEnvironment(uv, one.python.path, folder, { lock: lockFile(root, one.lock), scratch });
    writeFileSync(resolve(folder, MARKER), fingerprint(root, one));
    console.error(`set-up: Python ${one.python.version} environment "${one.lock}" ready in ${seconds(started)}`);
  }
}

/**
 * @param {string | undefined} uv
 * @param {string} python
 * @param {string} folder
 * @param {{ lock: string, scratch: string }} paths
 */
function createEnvironment(uv, python, folder, { lock, scratch }) {
  const own = resolve(folder, 'bin/python');
  if (uv) {
    must(uv, ['venv', '--quiet', '--no-project', '--python', python, folder], scratch);
    // Airflow's first start takes twice as long when it has to compile itself.
    const compile = /airflow/.test(lock) ? ['--compile-bytecode'] : [];
    must(uv, ['pip', 'sync', '--quiet', ...compile, '--require-hashes', '--python', own, lock], scratch);
    return;
  }
  must(python, ['-m', 'venv', folder], scratch);
  must(
    own,
    ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--require-hashes', '-r', lock],
    scratch,
  );
}

/**
 * uv from PyPI, by any pip there is. `undefined` where uv has no wheel for this platform; pip then does its work.
 * @param {string} root
 * @param {string[]} pythons
 * @returns {string | undefined}
 */
function obtainUv(root, pythons) {
  const lock = lockFile(root, 'uv');
  const folder = resolve(root, '.cache/python', `uv-${sha256(readFileSync(lock)).slice(0, 12)}`);
  const uv = resolve(folder, 'bin/uv');
  if (existsSync(uv)) return uv;
  const pip = findPip(root, pythons);
  const partial = `${folder}.${process.pid}`;
  const options = ['--quiet', '--disable-pip-version-check', '--no-deps', '--only-binary=:all:', '--require-hashes'];
  const done = execute(pip, ['-m', 'pip', 'install', ...options, '--target', partial, '-r', lock]);
  if (done.status !== 0) {
    rmSync(partial, { recursive: true, force: true });
    console.error(
      `set-up: uv is not to be had, pip is used instead: ${/^ERROR: .*/m.exec(outputOf(done))?.[0] ?? outputOf(done)}`,
    );
    return undefined;
  }
  if (existsSync(folder)) rmSync(partial, { recursive: true });
  else renameSync(partial, folder);
  return uv;
}

/**
 * A Python that has pip: one of those found, else one in an environment of its own.
 * @param {string} root
 * @param {string[]} pythons
 */
function findPip(root, pythons) {
  const ready = pythons.find((python) => execute(python, ['-m', 'pip', '--version']).status === 0);
  if (ready) return ready;
  const folder = resolve(root, '.cache/python/pip');
  for (const python of pythons) {
    rmSync(folder, { recursive: true, force: true });
    if (execute(python, ['-m', 'venv', folder]).status === 0) return resolve(folder, 'bin/python');
  }
  throw new SetUpError(
    `${pythons.join(', ')} can neither run pip nor make a virtual environment. Install what is missing, on Debian and Ubuntu with ` +
      '"apt-get install python3-venv", and run this again.',
  );
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {string} scratch
 */
function must(command, args, scratch) {
  const done = execute(command, args, { TMPDIR: scratch });
  if (done.status !== 0) throw new SetUpError(`"${command} ${args.join(' ')}" failed: ${outputOf(done)}`);
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {Record<string, string>} [more] variables
 */
function execute(command, args, more = {}) {
  const env = { ...process.env, ...more, UV_PYTHON_DOWNLOADS: 'never', UV_NO_PROGRESS: '1' };
  return spawnSync(command, args, { encoding: 'utf8', env });
}

/** @param {import('node:child_process').SpawnSyncReturns<string>} done */
function outputOf({ error, stdout, stderr }) {
  return error?.message ?? `${stdout}${stderr}`.trim();
}

/**
 * @param {string} root
 * @param {string} name
 */
function lockFile(root, name) {
  const path = resolve(root, 'scripts/python', `${name}.txt`);
  if (!existsSync(path)) throw new SetUpError(`The requirements ${path} are missing from this checkout.`);
  return path;
}

/**
 * @param {string} root
 * @param {Wanted} wanted
 */
function fingerprint(root, { lock, python }) {
  return sha256(`${python.path}\n${readFileSync(lockFile(root, lock), 'utf8')}`);
}

/** @param {string | Buffer} data */
function sha256(data) {
  return createHash('sha256').update(data).digest('hex');
}
