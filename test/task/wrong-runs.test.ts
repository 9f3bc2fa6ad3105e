import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from '#report/schema.ts';
import { ROOT } from '../../scripts/repository.ts';
import { attachmentOf, PipelineFolder, type PipelineRun, stepOf } from '../support/local-pipeline.ts';
import { RIGHT_RUNS, WRONG_RUNS, type WrongRun } from '../support/wrong-runs.ts';

describe('RunLuigi@1: no wrong run is green, and each says why', () => {
  for (const wrong of WRONG_RUNS) it(wrong.what, () => inFolder((folder) => checkWrong(wrong, folder)));
});

describe('RunLuigi@1: no good run is red', () => {
  for (const right of RIGHT_RUNS) it(right.what, () => inFolder((folder) => checkRight(right, folder)));

  it('a task that was complete before: green, and nothing had to run', () =>
    inFolder(async (folder) => {
      const wide = { what: '', module: 'wide', task: 'Root', parameters: { n: 3 } } as const;
      const first = await run(wide, folder);
      const second = await run(wide, folder);
      assert.equal(first.status, 0, first.log);
      assert.equal(second.status, 0, second.log);
      assert.match(second.log, /nothing had to run/i);
      assert.ok(existsSync(join(folder.work, 'out/wide')));
    }));
});

async function inFolder(body: (folder: PipelineFolder) => Promise<void>): Promise<void> {
  const folder = new PipelineFolder();
  try {
    await body(folder);
  } finally {
    folder.remove();
  }
}

async function checkWrong(wrong: WrongRun, folder: PipelineFolder): Promise<void> {
  const done = await run(wrong, folder);
  assert.equal(done.status, 1, done.log);
  assert.equal(done.report.result, 'Failed');
  checkWords(wrong, done);
  const errors = stepOf(done).issues.filter(({ type }) => type === 'error');
  assert.ok(errors.length > 0, 'an error on the pipeline run');
  if (!wrong.points) return;
  const places = errors.map(({ sourcePath, line }) => `${sourcePath}:${line}`);
  assert.ok(places.includes(wrong.points.join(':')), places.join(', '));
}

async function checkRight(right: WrongRun, folder: PipelineFolder): Promise<void> {
  const done = await run(right, folder);
  assert.equal(done.status, 0, done.log);
  assert.equal(stepOf(done).result, 'Succeeded', done.log);
  checkWords(right, done);
}

function checkWords({ state, codes, says }: WrongRun, done: PipelineRun): void {
  const { outputs, issues } = stepOf(done);
  assert.equal(outputs['runState'], state, done.log);
  assert.deepEqual(
    (JSON.parse(attachmentOf(done, 'plumbline-report')) as Report).findings.map(({ code }) => code),
    codes,
    done.log,
  );
  const said = issues.map(({ message }) => message).join('\n');
  for (const words of says) assert.match(said, words);
  if (codes.length === 0) assert.equal(said, '');
}

function run(
  { module, task, parameters = {}, inputs }: Pick<WrongRun, 'module' | 'task' | 'parameters' | 'inputs'>,
  folder: PipelineFolder,
) {
  return folder.run({
    file: 'test/fixtures/pipelines/run-luigi.yml',
    variables: {
      module,
      task,
      parameters: JSON.stringify(parameters),
      folder: folder.work,
      modules: join(ROOT, 'test/fixtures/luigi'),
      scheduler: 'local',
      workers: '1',
      timeout: '60s',
      ...inputs,
    },
  });
}
