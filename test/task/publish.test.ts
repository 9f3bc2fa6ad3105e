import assert from 'node:assert/strict';
import type { FaultDeclaration } from '#local-azure/declaration.ts';
import { codesOf, JobFolder, type JobRun, messagesOf } from '../support/agent-job-run.ts';
import { sampleDeclaration } from '../support/local-azure.ts';
import { TASK_NODE } from '../support/local-pipeline.ts';

const INPUTS = { good: { module: 'imported', task: 'Length' }, bad: { module: 'failing', task: 'Root' } };
const DEVOPS = 'dev.azure.com';

// The same on Node 20; what differs there is in identity, network and secrets.
if (TASK_NODE === '24') {
  describe('RunLuigi@1: publishing that fails for good', function () {
    this.timeout(120_000);
    let folder: JobFolder;

    beforeEach(() => {
      folder = new JobFolder();
    });

    afterEach(() => folder.remove());

    const run = (names: readonly ('good' | 'bad')[], faults: readonly FaultDeclaration[]): Promise<JobRun> =>
      folder.run({
        steps: names.map((name) => folder.luigi(name, INPUTS[name])),
        azure: sampleDeclaration({ faults }),
      });

    it('leaves a good run good, with issues that name each part; a failed run stays failed', async () => {
      const done = await run(
        ['good', 'bad'],
        [
          { host: DEVOPS, path: '*/attachments/plumbline-report/*', kind: 'status', status: 500 },
          { host: DEVOPS, path: '*/tags*', kind: 'status', status: 403 },
        ],
      );
      const good = done.step('good');
      assert.equal(good.result, 'SucceededWithIssues', done.log);
      assert.deepEqual(codesOf(good), []);
      assert.deepEqual(codesOf(good, 'warning'), ['ERR_PUBLISH_FAILED', 'ERR_PUBLISH_FAILED']);
      const warnings = messagesOf(good, 'warning').join('\n');
      assert.match(warnings, /The report could not be published on pipeline run .*HTTP 500/);
      assert.match(warnings, /The tags could not be published .*HTTP 403.* 'Update build information'/);
      assert.equal(good.outputs.get('runState')?.value, 'succeeded');

      const bad = done.step('bad');
      assert.equal(bad.result, 'Failed');
      assert.ok(codesOf(bad).includes('ERR_RUN_FAILED'));
      assert.ok(codesOf(bad, 'warning').includes('ERR_PUBLISH_FAILED'));

      const types = done.report.attachments.map(({ type }) => type);
      assert.ok(
        types.includes('Distributedtask.Core.Summary') && types.includes('plumbline-lineage'),
        'the rest is there',
      );
      assert.ok(
        Object.keys(done.report.properties).some((name) => name.endsWith('.good.state')),
        done.log,
      );
    });

    it('is told when Azure DevOps cannot be reached at all', async () => {
      const done = await run(['good'], [{ host: DEVOPS, kind: 'reset' }]);
      const good = done.step('good');
      assert.equal(good.result, 'SucceededWithIssues', done.log);
      assert.deepEqual([...new Set(codesOf(good, 'warning'))], ['ERR_PUBLISH_FAILED']);
      assert.match(messagesOf(good, 'warning').join('\n'), /dev\.azure\.com' can be reached from this machine/);
      assert.deepEqual(done.report.attachments, []);
    });
  });
}
