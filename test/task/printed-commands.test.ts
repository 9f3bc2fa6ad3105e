import assert from 'node:assert/strict';
import { join } from 'node:path';
import { ROOT } from '../../scripts/repository.ts';
import { attachmentOf, PipelineFolder, stepOf } from '../support/local-pipeline.ts';

describe('RunLuigi@1: commands that a task prints', () => {
  it('set nothing and report nothing, and the step publishes under restrictions', async () => {
    const folder = new PipelineFolder();
    try {
      const run = await folder.run({
        file: 'test/fixtures/pipelines/restricted.yml',
        variables: { folder: folder.work, modules: join(ROOT, 'test/fixtures/luigi') },
      });
      const { outputs, issues } = stepOf(run);
      assert.equal(outputs['runState'], 'failed', run.log);
      assert.deepEqual(
        Object.keys(run.report.variables).filter((name) => /stolen/i.test(name)),
        [],
      );
      const errors = issues.filter(({ type }) => type === 'error').map(({ message }) => message);
      assert.equal(errors.length, 2, errors.join('\n'));
      assert.doesNotMatch(run.log, /##\[error\](not ours|second line)/);
      assert.doesNotMatch(run.log, /##vso\[task\.setvariable variable=STOLEN/);
      assert.match(attachmentOf(run, 'Distributedtask.Core.Summary'), /Loud/);
      assert.match(attachmentOf(run, 'plumbline-lineage'), /"eventType":"FAIL"/);
      assert.ok(run.report.tags.includes('plumbline:failed'));
    } finally {
      folder.remove();
    }
  });
});
