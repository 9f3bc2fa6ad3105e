import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { type BuiltExtension, buildExtension } from '../../scripts/build-extension.ts';
import { type BuiltGateway, buildGateway } from '../../scripts/build-gateway.ts';
import { ENTRY_LIMIT, LAZY_LIMIT, type TaskFile } from '../../scripts/bundle-task.ts';
import { packageExtension, VSIX_LIMIT, vsixContents } from '../../scripts/package-extension.ts';
import { productVersion } from '../../scripts/repository.ts';

/** Rooms that no task reaches. */
const FOREIGN_ROOMS = /^src\/(gateway|cli|results-tab|local-[\w-]+|worker)\//;
/** Packages that are too large, or too slow to load, for what runs before anything else. */
const LAZY_PACKAGES =
  /node_modules\/(@azure\/|@azure-rest\/|@typespec\/|azure-devops-node-api\/|typed-rest-client\/|yaml\/)/;
/** Moves secrets into a vault of its own when it is loaded: a second copy would overwrite the key of the first. */
const ONCE = /node_modules\/azure-pipelines-task-lib\//;

/** What is in a file of a task and does not belong there, as `file: input`. */
function leaks({ name, kind, inputs }: TaskFile): string[] {
  const forbidden = kind === 'entry' ? [FOREIGN_ROOMS, LAZY_PACKAGES] : [FOREIGN_ROOMS, ONCE];
  return inputs.filter((input) => forbidden.some((pattern) => pattern.test(input))).map((input) => `${name}: ${input}`);
}

/** What the program of the gateway must not hold: stand-ins for Azure, the steps of tasks, and what only an agent needs. */
const NOT_IN_GATEWAY =
  /^(src\/(local-[\w-]+|host|steps|publish|results-tab)|tasks|test|scripts)\/|azure-pipelines-task-lib/;

describe('bundles', () => {
  let built: BuiltExtension;
  before(async function () {
    this.timeout(60_000);
    built = await buildExtension();
  });
  const files = () => Object.entries(built.tasks).flatMap(([task, list]) => list.map((file) => ({ task, ...file })));

  it('hold nothing of rooms and packages that do not belong into them', () => {
    assert.deepEqual(files().flatMap(leaks), []);
  });

  it('would name what leaked', () => {
    const facts = { source: 'tasks/AV1/index.ts', bytes: 1 };
    const entry = ['src/gateway/app.ts', 'src/core/run.ts', 'node_modules/@azure/identity/dist/index.js'];
    assert.deepEqual(leaks({ ...facts, name: 'index.js', kind: 'entry', inputs: entry }), [
      'index.js: src/gateway/app.ts',
      'index.js: node_modules/@azure/identity/dist/index.js',
    ]);
    const lazy = ['node_modules/azure-pipelines-task-lib/task.js', 'node_modules/@azure/identity/dist/index.js'];
    assert.deepEqual(leaks({ ...facts, name: 'sdk.js', kind: 'lazy', inputs: lazy }), [
      'sdk.js: node_modules/azure-pipelines-task-lib/task.js',
    ]);
  });

  it('stay within their budgets', () => {
    const over = files().filter(({ kind, bytes }) => bytes > (kind === 'entry' ? ENTRY_LIMIT : LAZY_LIMIT));
    assert.deepEqual(
      over.map(({ task, name, bytes }) => `${task}/${name}: ${bytes} bytes`),
      [],
    );
  });

  it('make a VSIX that holds each of them and is small', async function () {
    this.timeout(60_000);
    const vsix = await packageExtension();
    const contents = vsixContents(vsix);
    for (const { task, name } of files()) {
      assert.ok(contents.includes(`tasks/${task.replace(/V\d+$/, '')}/${task}/${name}`), `${task}/${name} is missing`);
    }
    assert.ok(
      contents.some((name) => name.endsWith('/worker/plumbline_luigi/__main__.py')),
      'the worker is missing',
    );
    assert.ok(statSync(vsix).size <= VSIX_LIMIT, `${statSync(vsix).size} bytes`);
  });
});

describe('the program of the gateway', () => {
  let built: BuiltGateway;
  before(async function () {
    this.timeout(60_000);
    built = await buildGateway();
  });

  it('holds nothing that only tasks, tests or this machine need', () => {
    assert.deepEqual(
      built.inputs.filter((path) => NOT_IN_GATEWAY.test(path)),
      [],
    );
    for (const path of ['src/local-azure/entra.ts', 'src/local-pipeline/plan.ts', 'src/steps/run-luigi/run-luigi.ts'])
      assert.match(path, NOT_IN_GATEWAY);
  });

  it('runs by itself, with the worker and the notices beside it', () => {
    const { status, stdout } = spawnSync(process.execPath, [built.program, '--version'], {
      encoding: 'utf8',
      cwd: '/',
    });
    assert.deepEqual([status, stdout], [0, `${productVersion()}\n`]);
    assert.ok(existsSync(resolve(built.folder, 'worker/plumbline_luigi/__main__.py')));
    const notices = readFileSync(resolve(built.folder, 'THIRD-PARTY-NOTICES.txt'), 'utf8');
    const packages = new Set(
      built.inputs.flatMap((path) => /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []),
    );
    assert.deepEqual(
      [...packages].filter((name) => !notices.includes(`\n${name} `)),
      [],
    );
  });
});
