import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TASK_NODE } from '../support/local-pipeline.ts';
import { LuigiSteps } from '../support/luigi-steps.ts';

const LEAVES = 999;

if (TASK_NODE === '24') {
  describe('RunLuigi@1: a thousand tasks with four workers', () => {
    const steps = new LuigiSteps({
      wide: {
        module: 'wide',
        task: 'Root',
        parameters: { n: LEAVES },
        inputs: { workers: '4', timeout: '5m', lineage: 'run' },
      },
    });

    before(async function () {
      this.timeout(300_000);
      await steps.run();
    });
    after(() => steps.remove());

    it('are green, with the totals of all of them', () => {
      const { outputs, report } = steps.succeeded('wide');
      assert.deepEqual([outputs['tasksTotal'], outputs['tasksFailed']], [String(LEAVES + 1), '0']);
      assert.deepEqual(report.counts, { done: LEAVES + 1 });
      assert.match(outputs['rootTaskId'] ?? '', /^Root_999_/);
    });

    it('are all in the report, each with its times and its output', () => {
      const { report } = steps.ended('wide');
      assert.deepEqual(report.cut, []);
      assert.equal(new Set(report.tasks.map(({ id }) => id)).size, LEAVES + 1);
      const root = report.tasks.find(({ family }) => family === 'Root');
      assert.equal(root?.dependsOn.length, LEAVES);
      for (const { startedAt = 0, endedAt = -1, attempts, outputs } of report.tasks) {
        assert.ok(endedAt >= startedAt && startedAt > 0);
        assert.deepEqual([attempts, outputs.length], [1, 1]);
      }
      const written = report.datasets.filter(({ role }) => role === 'written').map(({ name }) => name);
      assert.ok(written.includes(join(steps.folderOf('wide'), 'out/leaf-998')));
      assert.equal(new Set(written).size, LEAVES + 1);
    });

    it('are told in the summary by family, with what was left out', () => {
      const { summary } = steps.ended('wide');
      assert.match(summary, /1000 of 1000 tasks had to run: 1000 done/);
      assert.match(summary, /\| Leaf \| 999 \| .*999 done/);
      assert.match(summary, /970 more/);
    });

    it('are all in the lineage, each run with its start and its end', () => {
      const events = readFileSync(steps.attachment('wide', 'plumbline-lineage'), 'utf8').trim().split('\n');
      const kinds = events.map((line) => (JSON.parse(line) as { eventType: string }).eventType);
      const runs = LEAVES + 1 + 2;
      assert.deepEqual(
        ['START', 'COMPLETE'].map((kind) => kinds.filter((one) => one === kind).length),
        [runs, runs],
      );
      assert.equal(kinds.length, 2 * runs);
    });
  });
}
