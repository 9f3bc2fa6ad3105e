import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { lockFolder } from '../../scripts/folder-lock.mjs';
import { luigiExamples } from '../../scripts/luigi-examples.ts';
import { luigiPython, PipelineFolder, type PipelineRun, stepOf, TASK_NODE } from '../support/local-pipeline.ts';
import { LUIGI_EXAMPLES, type LuigiExample } from '../support/luigi-example-runs.ts';

type Files = Readonly<Record<string, string | undefined>>;

interface Comparison {
  readonly plain: Files;
  readonly plainStatus: number | null;
  readonly ours: Files;
  readonly run: PipelineRun;
}

const RETURN_CODES = ['already-running', 'missing-data', 'not-run', 'task-failed', 'scheduling-error'];

// Whatever differs between the Node versions is the step's, not Luigi's: the sleepy ones run once.
const lists = LUIGI_EXAMPLES.map((list) => list.filter(({ slow }) => !slow || TASK_NODE === '24'));

describe('examples of Luigi through RunLuigi@1, compared with plain luigi', () => {
  const results = new Map<LuigiExample, Comparison>();
  let unlock: (() => void) | undefined;

  before(async function () {
    this.timeout(400_000);
    const modules = await luigiExamples();
    // They write to fixed places in /tmp and /var/tmp: one checkout of this machine at a time.
    unlock = await lockFolder('/tmp/plumbline-luigi-examples');
    await Promise.all(lists.map((list) => compareAll(list, modules, results)));
  });

  after(() => unlock?.());

  for (const example of lists.flat()) {
    it(`${example.module} ${example.task}`, () => {
      const found = results.get(example);
      assert.ok(found, 'was run');
      check(example, found);
    });
  }
});

async function compareAll(list: readonly LuigiExample[], modules: string, results: Map<LuigiExample, Comparison>) {
  for (const example of list) results.set(example, await compare(example, modules));
}

async function compare(example: LuigiExample, modules: string): Promise<Comparison> {
  const folder = new PipelineFolder();
  try {
    clear(example, folder.work);
    const plainStatus = await plainLuigi(example, modules, folder);
    const plain = files(example, folder.work);
    clear(example, folder.work);
    const run = await throughTheStep(example, modules, folder);
    return { plain, plainStatus, ours: files(example, folder.work), run };
  } finally {
    clear(example, folder.work);
    for (const path of Object.keys(example.inputs ?? {})) rmSync(path, { force: true });
    folder.remove();
  }
}

function check(
  { ends, outputs, contents, names = [], tasks }: LuigiExample,
  { plain, plainStatus, ours, run }: Comparison,
) {
  const step = stepOf(run);
  assert.equal(plainStatus === 0, ends === 'succeeded', `plain luigi ended with ${plainStatus}`);
  assert.equal(step.outputs['runState'], ends, run.log);
  assert.equal(step.outputs['tasksTotal'], String(tasks), run.log);
  assert.deepEqual(present(plain), [...outputs].sort(), 'what plain luigi writes');
  assert.deepEqual(present(ours), present(plain));
  if (contents === 'same') assert.deepEqual(ours, plain);
  const issues = step.issues.map(({ message }) => message).join('\n');
  for (const name of names) assert.match(issues, name);
  if (names.length === 0) assert.equal(issues, '');
}

function present(found: Files): string[] {
  return Object.keys(found)
    .filter((path) => found[path] !== undefined)
    .sort();
}

/** The outputs gone, the inputs there. Only files that the examples name are touched. */
function clear({ outputs, inputs = {} }: LuigiExample, folder: string): void {
  for (const path of outputs) rmSync(resolve(folder, path), { force: true });
  removeEmpty('/tmp/bar');
  for (const [path, text] of Object.entries(inputs)) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

function files({ outputs }: LuigiExample, folder: string): Files {
  const contents = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8') : undefined);
  return Object.fromEntries(outputs.map((path) => [path, contents(resolve(folder, path))]));
}

function plainLuigi(example: LuigiExample, modules: string, folder: PipelineFolder): Promise<number | null> {
  const { module, task, parameters = {}, workers = 1 } = example;
  const values = Object.entries(parameters).flatMap(([name, value]) => [`--${name.replaceAll('_', '-')}`, value]);
  const codes = RETURN_CODES.flatMap((name) => [`--retcode-${name}`, '30']);
  const options = ['--local-scheduler', '--no-lock', '--workers', String(workers), ...codes];
  const child = spawn(luigiPython(), ['-m', 'luigi', '--module', module, task, ...values, ...options], {
    cwd: folder.work,
    env: { PATH: process.env['PATH'], HOME: folder.home, PYTHONPATH: modules, PYTHONDONTWRITEBYTECODE: '1' },
    stdio: 'ignore',
  });
  return new Promise((done, failed) => child.on('error', failed).on('exit', done));
}

function throughTheStep(example: LuigiExample, modules: string, folder: PipelineFolder): Promise<PipelineRun> {
  const { module, task, parameters = {}, workers = 1 } = example;
  return folder.run({
    file: 'test/fixtures/pipelines/run-luigi.yml',
    variables: {
      module,
      task,
      parameters: JSON.stringify(parameters),
      workers: String(workers),
      folder: folder.work,
      scheduler: 'local',
      timeout: '2m',
      modules,
    },
  });
}
