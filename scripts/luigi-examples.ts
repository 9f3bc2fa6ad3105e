import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SetUpError } from './node-packages.mjs';
import { environmentFolder, missingEnvironments, prepareEnvironments } from './python-environments.mjs';
import { findPythons, requirePython } from './python-interpreters.mjs';
import { ROOT } from './repository.ts';

const LOCK = resolve(ROOT, 'scripts/python/luigi-sdist.txt');
const TOOLS = 'luigi-sdist-tools';

/**
 * Luigi's own examples, unmodified, from the source distribution that scripts/python/luigi-sdist.txt names. Downloaded once.
 * @returns the folder to put on PYTHONPATH; `examples` lies in it. `luigi` does not, so that the installed one is used.
 * @throws {SetUpError} when the source distribution is not to be had.
 */
export async function luigiExamples(): Promise<string> {
  const folder = resolve(ROOT, '.cache', `luigi-examples-${lockHash()}`);
  if (existsSync(folder)) return folder;
  mkdirSync(resolve(ROOT, '.cache'), { recursive: true });
  const partial = mkdtempSync(`${folder}.`);
  try {
    await download(partial);
    rename(partial, folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  return folder;
}

/** pip checks the hash; the locked back end without build isolation keeps it from fetching one without a hash. */
async function download(into: string): Promise<void> {
  const python = await pythonWithPip();
  const options = ['--no-deps', '--no-binary=:all:', '--no-build-isolation', '--require-hashes'];
  const quiet = ['--quiet', '--disable-pip-version-check', '--no-cache-dir'];
  must(python, ['-m', 'pip', 'download', ...quiet, ...options, '--dest', into, '--requirement', LOCK]);
  const [archive] = readdirSync(into).filter((name) => name.endsWith('.tar.gz'));
  if (archive === undefined) throw new SetUpError('pip downloaded no source distribution of Luigi.');
  const inside = `${archive.replace(/\.tar\.gz$/, '')}/examples`;
  must('tar', ['-xzf', join(into, archive), '-C', into, '--strip-components=1', inside]);
  rmSync(join(into, archive));
}

async function pythonWithPip(): Promise<string> {
  const [python] = requirePython(await findPythons());
  if (python === undefined) throw new SetUpError('No Python was found.');
  const wanted = { lock: TOOLS, python };
  await prepareEnvironments(ROOT, missingEnvironments(ROOT, [wanted]));
  return resolve(environmentFolder(ROOT, wanted), 'bin/python');
}

/** Another process may have been faster; then its folder is the one. */
function rename(partial: string, folder: string): void {
  try {
    renameSync(partial, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  }
}

function lockHash(): string {
  return createHash('sha256').update(readFileSync(LOCK)).digest('hex').slice(0, 12);
}

function must(command: string, args: readonly string[]): void {
  const done = spawnSync(command, args, { encoding: 'utf8' });
  if (done.status === 0) return;
  const why = done.error?.message ?? `${done.stdout}${done.stderr}`.trim();
  throw new SetUpError(`Luigi's examples could not be fetched: ${why}`);
}
