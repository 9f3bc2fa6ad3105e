import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../scripts/repository.ts';
import { PipelineFolder, stepOf } from '../support/local-pipeline.ts';

describe('RunLuigi@1: a cancelled pipeline', () => {
  it('ends the run with all it started, daemons that ignore SIGTERM included, and says so', async () => {
    const folder = new PipelineFolder();
    try {
      const run = await folder.run({
        file: 'test/fixtures/pipelines/run-luigi.yml',
        cancelWhen: join(folder.work, 'ready'),
        variables: {
          module: 'daemons',
          task: 'LeavesDaemons',
          parameters: '',
          folder: folder.work,
          modules: join(ROOT, 'test/fixtures/luigi'),
          scheduler: 'local',
          workers: '1',
          timeout: '60s',
        },
      });
      assert.equal(run.status, 2, run.log);
      assert.equal(run.report.result, 'Canceled');
      const { result, outputs, durationMs } = stepOf(run);
      assert.equal(result, 'Canceled');
      assert.equal(outputs['runState'], 'cancelled', run.log);
      assert.ok(durationMs < 20_000);
      for (const name of ['daemon.pid', 'sleeper.pid']) {
        const pid = Number(readFileSync(join(folder.work, name), 'utf8'));
        assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' }, `${name} ${pid} still runs`);
      }
    } finally {
      folder.remove();
    }
  });
});
