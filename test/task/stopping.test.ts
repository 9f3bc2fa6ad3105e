import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { type Clock, systemClock } from '#core/clock.ts';
import { codesOf, JobFolder, type JobRun, messagesOf } from '../support/agent-job-run.ts';
import { sampleDeclaration } from '../support/local-azure.ts';
import { TASK_NODE } from '../support/local-pipeline.ts';
import { isAlive, processesOfRun, type SeenProcess } from '../support/run-processes.ts';

/** What the product promises from the request to stop until nothing of the run is left. */
const PROMISED_MS = 5_000;
const TIME_LIMIT_MIN = 2;
const STEPS = ['deadline', 'minutes', 'cancelled'] as const;

/** How a step looked at its end. */
interface Ending {
  readonly at: number;
  readonly processes: readonly SeenProcess[];
}

// The same on Node 20; what differs there is in identity, network and secrets.
if (TASK_NODE === '24') {
  describe('RunLuigi@1: a run that is stopped', function () {
    this.timeout(120_000);
    let folder: JobFolder;
    const endings = new Map<string, Ending>();
    const stoppedAt = new Map<string, number>();
    let run: JobRun;

    before(async () => {
      folder = new JobFolder();
      const cancel = new AbortController();
      const inputs = { module: 'daemons', task: 'LeavesDaemons' };
      // The minutes of `timeoutInMinutes` are over as soon as the run has daemons to stop.
      const clock: Clock = {
        now: systemClock.now,
        sleep: async (ms, signal) => {
          // The post-job stage of the step has the same limit, and its own time.
          if (ms !== TIME_LIMIT_MIN * 60_000 || stoppedAt.has('minutes')) return systemClock.sleep(ms, signal);
          await ready(folder, 'minutes', signal);
          stoppedAt.set('minutes', Date.now());
        },
      };
      const cancelled = ready(folder, 'cancelled').then(() => {
        stoppedAt.set('cancelled', Date.now());
        cancel.abort();
      });
      run = await folder.run({
        steps: [
          folder.luigi('deadline', { ...inputs, timeout: '4s' }),
          folder.luigi('minutes', inputs, { timeoutInMinutes: TIME_LIMIT_MIN }),
          folder.luigi('cancelled', inputs),
          folder.luigi('afterwards', inputs),
        ],
        azure: sampleDeclaration(),
        cancelled: cancel.signal,
        clock,
        onEvent: (event) => {
          if (event.kind !== 'step-ended') return;
          const { displayName, outputs } = event.record;
          const runId = outputs.get('runId')?.value;
          if (runId !== undefined) endings.set(displayName, { at: Date.now(), processes: processesOfRun(runId) });
        },
      });
      await cancelled;
    });

    after(() => folder.remove());

    for (const step of STEPS) {
      it(`${step}: no process of it is left at the end of the step, daemons that ignore SIGTERM included`, () => {
        assert.deepEqual(endings.get(step)?.processes, [], run.log);
        for (const name of ['daemon', 'sleeper'])
          assert.equal(isAlive(Number(readFileSync(folder.file(step, `${name}.pid`), 'utf8'))), false, name);
      });

      it(`${step}: the step says what was done and which task was running, and publishes it`, () => {
        const record = run.step(step);
        const state = step === 'deadline' ? 'deadline' : 'cancelled';
        const code = step === 'deadline' ? 'ERR_RUN_DEADLINE' : 'ERR_RUN_CANCELLED';
        const why = step === 'deadline' ? 'its time was up' : 'the step was cancelled';
        assert.ok(codesOf(record).includes(code), messagesOf(record).join('\n'));
        assert.match(
          messagesOf(record).join('\n'),
          new RegExp(`LeavesDaemons\\(.*\\) was stopped: ${why} while LeavesDaemons\\(.*\\) was running`),
        );
        assert.equal(record.outputs.get('runState')?.value, state);
        const own = run.texts.filter(({ place }) => place.includes(`.${step}.`) || place.includes(`(${step})`));
        assert.deepEqual(own.map(({ place }) => place.split('/')[0]).sort(), [
          'Distributedtask.Core.Summary',
          'plumbline-lineage',
          'plumbline-report',
        ]);
        assert.match(own.map(({ text }) => text).join('\n'), new RegExp(`"state":"${state}"`));
      });
    }

    for (const step of ['minutes', 'cancelled']) {
      it(`${step}: all of it within ${PROMISED_MS / 1_000} s of the signal`, () => {
        const took = (endings.get(step)?.at ?? Number.NaN) - (stoppedAt.get(step) ?? Number.NaN);
        assert.ok(took <= PROMISED_MS, `it took ${took} ms`);
      });
    }

    it('ends as the agent would: a time limit fails the step, a cancel cancels it and what comes after', () => {
      assert.equal(run.step('deadline').result, 'Failed');
      assert.equal(run.step('minutes').result, 'Failed');
      assert.equal(run.step('cancelled').result, 'Canceled');
      assert.equal(run.report.result, 'Canceled');
      assert.equal(existsSync(folder.file('afterwards', 'ready')), false);
    });
  });

  describe('RunLuigi@1: a step that is cancelled before its run', () => {
    it('ends at once, and starts nothing', async () => {
      const folder = new JobFolder();
      const cancel = new AbortController();
      const inputs = { azureSubscription: 'azure', keyVault: 'myvault', secrets: 'VALUE: plain' };
      try {
        const run = await folder.run({
          steps: [folder.luigi('waits', { module: 'imported', task: 'Length', ...inputs })],
          azure: sampleDeclaration({
            faults: [{ host: 'login.microsoftonline.com', kind: 'latency', delayMs: 60_000 }],
          }),
          cancelled: cancel.signal,
          onEvent: (event) => {
            if (event.kind === 'line' && event.text.startsWith('RunLuigi ')) cancel.abort();
          },
        });
        const step = run.step('waits');
        assert.equal(step.result, 'Canceled', run.log);
        const took = (step.endedAt ?? Number.NaN) - (step.startedAt ?? Number.NaN);
        assert.ok(took <= PROMISED_MS, `it took ${took} ms`);
        assert.equal(step.outputs.get('runId'), undefined);
        assert.equal(existsSync(folder.file('waits', 'imported')), false);
        assert.ok(codesOf(step).includes('ERR_RUN_CANCELLED'), messagesOf(step).join('\n'));
      } finally {
        folder.remove();
      }
    });
  });
}

/** Resolves when the task of this step has started everything that it leaves behind. */
async function ready(folder: JobFolder, step: string, signal?: AbortSignal): Promise<void> {
  while (!existsSync(folder.file(step, 'ready'))) await systemClock.sleep(20, signal);
}
