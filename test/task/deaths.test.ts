import assert from 'node:assert/strict';
import { TASK_NODE } from '../support/local-pipeline.ts';
import { LuigiSteps } from '../support/luigi-steps.ts';

const FOUR = { workers: '4' };

// What happens to Python's processes does not depend on the Node that watches them: wrong-runs.test.ts has a few for each.
if (TASK_NODE === '24') {
  describe('RunLuigi@1: processes that die, disks that are full, tasks that hang', () => {
    const steps = new LuigiSteps({
      supervisor: { module: 'killers', task: 'KillsParent' },
      workerOfFour: { module: 'killers', task: 'KillsParent', inputs: FOUR },
      program: { module: 'killers', task: 'KillsProgram' },
      programOfFour: { module: 'killers', task: 'KillsProgram', inputs: FOUR },
      exitInFour: { module: 'exits', task: 'OsExit', parameters: { code: 7 }, inputs: FOUR },
      noSpace: { module: 'full_disk', task: 'NoSpace' },
      noSpaceInFour: { module: 'full_disk', task: 'NoSpace', inputs: FOUR },
      nothingGrows: { module: 'full_disk', task: 'NothingGrows' },
      nothingGrowsFails: { module: 'full_disk', task: 'NothingGrows', parameters: { rows: 3 } },
      nothingGrowsInFour: { module: 'full_disk', task: 'NothingGrows', parameters: { rows: 3 }, inputs: FOUR },
      vanishedInFour: { module: 'vanishing', task: 'OnSuccess', inputs: FOUR },
      hungInFour: { module: 'hung', task: 'Hung', inputs: { ...FOUR, timeout: '5s' } },
    });

    before(async function () {
      this.timeout(120_000);
      await steps.run();
    });
    after(() => steps.remove());

    it('a killed supervisor: nobody knows how the run ended, and the message says how to look', () => {
      const { said, outputs } = steps.failed('supervisor', ['ERR_RUN_LOST']);
      assert.equal(outputs['runState'], 'lost');
      assert.match(said, /was lost: its supervisor left no exit record .*PLUMBLINE_RUN_ID/);
    });

    it('a killed worker with four task processes', () => {
      const { said, report } = steps.failed('workerOfFour', ['ERR_RUN_DIED', 'ERR_RUN_DIED']);
      assert.deepEqual(report.counts, { died: 1 });
      assert.match(said, /ended by SIGKILL\. See whether the machine ran out of memory/);
      assert.match(said, /KillsParent died/);
    });

    for (const name of ['program', 'programOfFour'] as const) {
      it(`a killed program that a task had started (${name})`, () => {
        const { said } = steps.failed(name, ['ERR_RUN_FAILED', 'ERR_RUN_FAILED']);
        assert.match(said, /KillsProgram failed: CalledProcessError: .*SIGKILL/);
      });
    }

    it('a task process that leaves with a status of its own', () => {
      const { said, report } = steps.failed('exitInFour', ['ERR_RUN_FAILED', 'ERR_RUN_DIED']);
      assert.deepEqual(report.counts, { died: 1 });
      assert.match(said, /OsExit\(code=7\) died: .*\b7\b/);
    });

    for (const name of ['noSpace', 'noSpaceInFour'] as const) {
      it(`a disk that is full for a task (${name})`, () => {
        const { said } = steps.failed(name, ['ERR_RUN_FAILED', 'ERR_RUN_FAILED']);
        assert.match(said, /NoSpace failed: OSError: \[Errno 28\] No space left on device/);
      });
    }

    for (const name of ['nothingGrows', 'nothingGrowsFails'] as const) {
      it(`a disk that is full for the evidence too (${name})`, () => {
        const { said, report } = steps.failed(name, ['ERR_RUN_DIED', 'ERR_RUN_DIED']);
        assert.deepEqual(report.counts, { died: 1 });
        assert.match(said, /the worker's last event is missing\. .*the disk is full/);
      });
    }

    it('a disk that is full for one task process of four: the reason is missing, and the message says where it is', () => {
      const { said } = steps.failed('nothingGrowsInFour', ['ERR_RUN_FAILED', 'ERR_RUN_FAILED', 'ERR_RUN_UNVERIFIED']);
      assert.match(said, /NothingGrows\(rows=3\) failed: its exception was not recorded, see the log/);
    });

    it('outputs that vanish after the run, with four workers', () => {
      const { said, report } = steps.failed('vanishedInFour', ['ERR_RUN_INCOMPLETE']);
      assert.equal(report.run.verified, 'refuted');
      assert.match(said, /its root task is not complete\. See which outputs are missing/);
    });

    it('a hung task process: stopped when its time is up, and named', () => {
      const { said, outputs } = steps.failed('hungInFour', ['ERR_RUN_DEADLINE']);
      assert.equal(outputs['runState'], 'deadline');
      assert.match(said, /time was up while Hung was running\. Raise the input timeout/);
    });
  });
}
