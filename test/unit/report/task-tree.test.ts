import assert from 'node:assert/strict';
import fc from 'fast-check';
import { buildReport } from '#report/build-report.ts';
import { taskTree } from '#report/task-tree.ts';
import { arbitraryOutcome } from '../../support/arbitrary-run.ts';
import { sampleFacts } from '../../support/sample-report.ts';
import { failedRun, sampleProvenance } from '../../support/sample-run.ts';

describe('taskTree', () => {
  it('puts each task below the first that needs it, and the unreached last', () => {
    const { tasks, run } = buildReport(failedRun(), sampleProvenance(), sampleFacts());
    assert.deepEqual(
      taskTree(tasks, run.rootTaskId).map(({ task, depth }) => `${depth} ${task.family}`),
      ['0 DailyReport', '1 Refunds', '2 Landing', '1 Orders', '0 Rates'],
    );
  });

  it('starts with what nothing depends on when there is no root', () => {
    const { tasks } = buildReport(failedRun(), sampleProvenance(), sampleFacts());
    const [first] = taskTree(tasks.toReversed(), undefined).filter(({ depth }) => depth === 0);
    assert.ok(first && ['DailyReport', 'Rates'].includes(first.task.family));
  });

  it('shows every task once, whatever depends on what', () => {
    fc.assert(
      fc.property(arbitraryOutcome, (outcome) => {
        const { tasks, run } = buildReport(outcome, sampleProvenance(), sampleFacts());
        const shown = taskTree(tasks, run.rootTaskId).map(({ task }) => task.id);
        assert.deepEqual(new Set(shown), new Set(tasks.map(({ id }) => id)));
        assert.equal(shown.length, new Set(shown).size);
      }),
    );
  });
});
