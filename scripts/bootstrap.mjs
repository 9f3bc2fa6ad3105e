// Runs a script of this repository on a machine that has nothing but Node 20 and, for most scripts, Python 3.10 to 3.13:
//   node scripts/bootstrap.mjs SCRIPT [ARGUMENT…]
// Installs what is missing or has changed, then runs SCRIPT on the Node version that package-lock.json names.
import { spawn } from 'node:child_process';
import { delimiter, dirname, resolve } from 'node:path';
import { installPackages, lockedNode, SetUpError } from './node-packages.mjs';
import { environmentFolder, missingEnvironments, prepareEnvironments } from './python-environments.mjs';
import { findPythons, requireOneOf, requirePython } from './python-interpreters.mjs';

const OLDEST_NODE = 20;
const ROOT = resolve(import.meta.dirname ?? dirname(new URL(import.meta.url).pathname), '..');

/**
 * The Python environments that a script needs, or a script with a first argument; `path` puts the first one's `python3` first in
 * PATH, as UsePythonVersion@0 does.
 * @type {Record<string, { locks: string[], everyPython?: boolean, path?: boolean }>}
 */
const PYTHON_NEEDS = {
  'scripts/start.ts': { locks: ['luigi'], path: true },
  'scripts/start.ts airflow': { locks: ['airflow-3'] },
  'scripts/local.ts': { locks: ['luigi'], path: true },
  'bench/bench.ts': { locks: ['luigi', 'airflow-3'] },
  'scripts/test.ts': {
    locks: ['luigi', 'luigi-oldest', 'test', 'clouds', 'airflow-3', 'airflow-2.11'],
    everyPython: true,
  },
  'scripts/soak.ts': { locks: ['luigi', 'luigi-oldest', 'test', 'clouds', 'airflow-3'], everyPython: true },
};

/**
 * Where the requirements of a lock can be had, the better one first; it is made for one of them. The others are made for every
 * Python that Luigi runs on.
 * @type {Record<string, { pythons: string[], why: string }>}
 */
const LOCK_PYTHONS = {
  'airflow-3': { pythons: ['3.12', '3.11'], why: 'the locked requirements of Airflow resolve on no other' },
  'airflow-2.11': { pythons: ['3.12', '3.11'], why: 'the locked requirements of Airflow resolve on no other' },
};

const [script, ...args] = process.argv.slice(2);
try {
  if (script === undefined) throw new SetUpError('Usage: node scripts/bootstrap.mjs SCRIPT [ARGUMENT…]');
  await run(script);
} catch (error) {
  if (!(error instanceof SetUpError)) throw error;
  console.error(`set-up: ${error.message}`);
  process.exitCode = 78;
}

/** @param {string} name */
async function run(name) {
  checkNode();
  const needs = needsOf(name);
  const wanted = await wantedEnvironments(needs);
  await installPackages(ROOT);
  await prepareEnvironments(ROOT, missingEnvironments(ROOT, wanted));
  const node = lockedNode(ROOT);
  const path = [dirname(node)];
  if (needs.path && wanted[0]) path.push(resolve(environmentFolder(ROOT, wanted[0]), 'bin'));
  handOver(node, name, [...path, process.env['PATH'] ?? ''].join(delimiter));
}

/** @param {string} name */
function needsOf(name) {
  if (name === 'scripts/setup.ts') return { locks: args, everyPython: true };
  return PYTHON_NEEDS[`${name} ${args[0]}`] ?? PYTHON_NEEDS[name] ?? { locks: [] };
}

function checkNode() {
  if (Number(process.versions.node.split('.')[0]) >= OLDEST_NODE) return;
  throw new SetUpError(
    `Node ${process.versions.node} is too old. Install Node ${OLDEST_NODE} or newer, for example from https://nodejs.org.`,
  );
}

/** @param {{ locks: string[], everyPython?: boolean }} needs */
async function wantedEnvironments({ locks, everyPython }) {
  if (locks.length === 0) return [];
  const pythons = requirePython(await findPythons());
  return locks.flatMap((lock) => {
    const special = LOCK_PYTHONS[lock];
    const used = special ? [requireOneOf(pythons, special)] : everyPython ? pythons : pythons.slice(0, 1);
    return used.map((python) => ({ lock, python }));
  });
}

/**
 * The script's process takes over: its exit status and signals become ours.
 * @param {string} node
 * @param {string} name
 * @param {string} path
 */
function handOver(node, name, path) {
  const options = { stdio: /** @type {const} */ ('inherit'), env: { ...process.env, PATH: path } };
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', resolve(ROOT, name), ...args], options);
  child.on('error', (error) => {
    console.error(`set-up: ${node} does not start: ${error.message}`);
    process.exitCode = 78;
  });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => {
      // A terminal sends SIGINT to the whole group, so the child already has it.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
