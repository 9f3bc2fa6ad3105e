import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from '../../scripts/repository.ts';
import { attachmentOf, luigiPython, PipelineFolder, stepOf } from '../support/local-pipeline.ts';

const EXAMPLE = 'examples/quickstart';

describe('examples', () => {
  let folder: PipelineFolder;

  beforeEach(() => {
    folder = new PipelineFolder();
  });

  afterEach(() => folder.remove());

  it('the quickstart is green, writes what plain luigi writes, and publishes all there is', async () => {
    const run = await folder.run({ file: `${EXAMPLE}/azure-pipelines.yml`, azure: `${EXAMPLE}/azure.yml` });
    assert.equal(run.status, 0, run.log);
    assert.equal(run.report.result, 'Succeeded');
    const { outputs, issues } = stepOf(run);
    assert.deepEqual(issues, []);
    assert.equal(outputs['tasksTotal'], '20');
    assert.equal(outputs['tasksFailed'], '0');
    for (const line of plainReport(folder).split('\n')) assert.ok(run.log.includes(line), line);
    assert.match(attachmentOf(run, 'Distributedtask.Core.Summary'), /customer-pseudonym-key/);
    assert.match(attachmentOf(run, 'plumbline-lineage'), /orders-2026-11-20\.csv/);
    assert.ok(run.report.tags.includes('plumbline:succeeded'));
    assert.doesNotMatch(run.log, /only-on-this-machine/);
  });

  it('the template runs as a deployment', async () => {
    const virtualEnv = join(luigiPython(), '../..');
    const call = {
      file: 'test/fixtures/pipelines/extends-template.yml',
      variables: { folder: folder.work, virtualEnv },
    };
    cpSync(join(ROOT, 'test/fixtures/luigi/good.py'), join(folder.work, 'good.py'));
    writeFileSync(join(folder.work, 'input.txt'), 'seed');
    const run = await folder.run(call);
    assert.equal(run.status, 0, run.log);
    assert.equal(readFileSync(join(folder.work, 'out/report-2026-11-20.txt'), 'utf8'), '0 seed1 seed');
    assert.match(attachmentOf(run, 'plumbline-report'), /"environment":"production"/);
    assert.equal(run.report.steps.find(({ name }) => name === 'Python packages')?.result, 'Skipped');
  });
});

/** report.md as plain luigi makes it, with the secrets of the declaration. */
function plainReport(folder: PipelineFolder): string {
  const { vaults } = parse(readFileSync(join(ROOT, EXAMPLE, 'azure.yml'), 'utf8'));
  const { 'customer-pseudonym-key': pseudonymKey, 'report-signing-key': signingKey } = vaults[0].secrets;
  const task = ['--module', 'retail.orders_pipeline', 'SalesReport', '--date', '2026-11-20'];
  const done = spawnSync(
    luigiPython(),
    // Luigi's lock is by command line: the same test on another Node would make it leave at once, with 0.
    ['-m', 'luigi', ...task, '--local-scheduler', '--no-lock'],
    {
      cwd: join(ROOT, EXAMPLE),
      encoding: 'utf8',
      env: {
        ...process.env,
        PYTHONDONTWRITEBYTECODE: '1',
        ORDERS_OUTPUT: folder.work,
        CUSTOMER_PSEUDONYM_KEY: pseudonymKey,
        REPORT_SIGNING_KEY: signingKey,
      },
    },
  );
  assert.equal(done.status, 0, done.stderr);
  return readFileSync(join(folder.work, 'report.md'), 'utf8');
}
