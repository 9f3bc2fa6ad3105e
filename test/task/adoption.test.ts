import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { codesOf, JobFolder, type JobRun, messagesOf } from '../support/agent-job-run.ts';
import { sampleDeclaration } from '../support/local-azure.ts';
import { TASK_NODE } from '../support/local-pipeline.ts';
import { isAlive } from '../support/run-processes.ts';

const RETRY = { retryCountOnTaskFailure: 1 };
const KILLED = { module: 'kills_step', task: 'AfterSuccess' };
/** Long enough for a step to be killed while it publishes what it knows of a run that has ended; the next attempt is quick. */
const SLOW_PUBLISHING = ['adopted', 'refused', 'renewed'].map(
  (step) =>
    ({
      host: 'dev.azure.com',
      path: `*/plumbline-report/*.${step}.json`,
      kind: 'latency',
      delayMs: 3_000,
      count: 1,
    }) as const,
);

// The same on Node 20; what differs there is in identity, network and secrets.
if (TASK_NODE === '24') {
  describe('RunLuigi@1: a step that is tried again', function () {
    this.timeout(120_000);
    let folder: JobFolder;
    let run: JobRun;
    /** By the name of the daemon, whether it was alive at the end of the post-job stage. */
    const alive = new Map<string, boolean>();

    before(async () => {
      folder = new JobFolder();
      run = await folder.run({
        steps: [
          folder.luigi('retried', { module: 'kills_step', task: 'FailsOnce' }, RETRY),
          folder.luigi('adopted', KILLED, RETRY),
          folder.luigi('refused', { ...KILLED, onExistingRun: 'fail' }, RETRY),
          folder.luigi('renewed', { ...KILLED, onExistingRun: 'new' }, RETRY),
        ],
        azure: sampleDeclaration({ faults: SLOW_PUBLISHING }),
        onEvent: (event) => {
          if (event.kind !== 'step-ended' || event.record.displayName !== 'Post-job: retried') return;
          for (const name of ['first', 'second'])
            alive.set(name, isAlive(Number(readFileSync(folder.file('retried', `${name}.pid`), 'utf8'))));
        },
      });
    });

    after(() => folder.remove());

    const runs = (step: string) => readFileSync(folder.file(step, 'runs.txt'), 'utf8').trim().split('\n').length;
    const runId = (step: string) => run.step(step).outputs.get('runId')?.value ?? '';

    it('really runs again after a failure, as a run of its own', () => {
      assert.equal(run.step('retried').result, 'Succeeded', run.log);
      assert.match(runId('retried'), /^plumbline-[0-9a-f]{20}~2$/);
      assert.equal(runs('retried'), 2);
      assert.match(messagesOf(run.step('retried')).join('\n'), /FailsOnce failed: ValueError: not this time/);
    });

    it('leaves no daemon behind, of no attempt', () => {
      assert.deepEqual(
        [...alive],
        [
          ['first', false],
          ['second', false],
        ],
      );
      assert.match(run.log, /Post-job: retried[\s\S]*2 processes that the run had left behind ended/);
    });

    it('adopts a run that succeeded in the same attempt, and publishes what the killed step could not', () => {
      assert.equal(run.step('adopted').result, 'Succeeded', run.log);
      assert.match(run.log, /The run plumbline-[0-9a-f]{20} is there already and is adopted/);
      assert.match(runId('adopted'), /^plumbline-[0-9a-f]{20}$/);
      assert.equal(runs('adopted'), 1);
      assert.equal(run.step('adopted').outputs.get('tasksTotal')?.value, '1');
      assert.equal(propertyOf('adopted'), 'succeeded');
    });

    it('refuses with onExistingRun: fail', () => {
      assert.equal(run.step('refused').result, 'Failed');
      assert.deepEqual(codesOf(run.step('refused')), ['ERR_RUN_EXISTS']);
      assert.match(
        messagesOf(run.step('refused')).join('\n'),
        /has succeeded in this attempt\. Set onExistingRun to adopt/,
      );
      assert.equal(runs('refused'), 1);
    });

    it('starts another one with onExistingRun: new', () => {
      assert.equal(run.step('renewed').result, 'Succeeded', run.log);
      assert.match(runId('renewed'), /~2$/);
    });

    function propertyOf(step: string): string | undefined {
      return Object.entries(run.report.properties).find(([name]) => name.endsWith(`.${step}.state`))?.[1];
    }
  });
}
