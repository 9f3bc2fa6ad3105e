import assert from 'node:assert/strict';
import { type AirflowCase, describeAirflowCases, greenAtLast, refused } from '../support/airflow/airflow-cases.ts';
import type { RunningStep } from '../support/airflow/airflow-steps.ts';

/** Kills the step when it follows its run; the agent starts it again. */
async function killOnce(job: RunningStep): Promise<void> {
  await job.runId();
  await job.says(/running/i);
  job.kill();
}

const RETRIED = { yaml: { retryCountOnTaskFailure: 1 } } as const;

/** One run of the DAG for each id that was asked for. */
const triggers = (step: Parameters<AirflowCase['check']>[0]): readonly string[] => [
  ...new Set(step.proxy.seen('POST', /\/dagRuns$/).map(({ body }) => JSON.parse(body).dag_run_id as string)),
];

const CASES: readonly AirflowCase[] = [
  {
    title: 'a step that was killed and is run again takes over its run',
    dag: 'sleeper',
    inputs: { conf: '{"seconds": 10}' },
    ...RETRIED,
    during: killOnce,
    check: async (step, airflow) => {
      await greenAtLast(step, airflow);
      assert.match(step.log, /is adopted/);
      assert.equal(triggers(step).length, 1);
    },
  },
  {
    title: 'a step that failed and is run again starts another run',
    dag: 'failing',
    ...RETRIED,
    check: (step) => {
      assert.equal(step.result, 'Failed');
      const [first, second] = triggers(step);
      assert.equal(second, `${first}~2`);
    },
  },
  {
    title: 'clearFailed lets the run that failed go on where it failed',
    dag: 'flow_fails_once',
    inputs: { onExistingRun: 'clearFailed' },
    ...RETRIED,
    check: async (step, airflow) => {
      await greenAtLast(step, airflow);
      assert.equal(triggers(step).length, 1);
      const firsts = airflow.marks(step.output('dagRunId') ?? '').filter((mark) => mark.startsWith('first-'));
      assert.equal(firsts.length, 1, 'what had succeeded was not run again');
    },
  },
  {
    title: 'onExistingRun: fail refuses a run that is there, and leaves it alone',
    dag: 'sleeper',
    inputs: { conf: '{"seconds": 8}', onExistingRun: 'fail' },
    ...RETRIED,
    during: killOnce,
    check: async (step, airflow) => {
      assert.equal(step.result, 'Failed');
      assert.ok(step.codes.error.includes('ERR_RUN_EXISTS'), step.errors.join('\n'));
      const [id = ''] = triggers(step);
      assert.equal((await airflow.truth.runIs('sleeper', id, ['success', 'failed'])).state, 'success');
    },
  },
  {
    title: 'onExistingRun: new starts another beside it',
    dag: 'sleeper',
    inputs: { conf: '{"seconds": 6}', onExistingRun: 'new' },
    ...RETRIED,
    during: killOnce,
    check: async (step, airflow) => {
      await greenAtLast(step, airflow);
      assert.equal(triggers(step).length, 2);
    },
  },
  {
    title: 'a run of the same id that is somebody else’s is refused by its name, and left alone',
    dag: 'sleeper',
    // Somebody is quicker: the run is there when the trigger comes.
    faults: [{ method: 'POST', path: /\/dagRuns$/, fault: { kind: 'answer', status: 503, body: '' } }],
    during: async ({ airflow, runId }) => {
      await airflow.truth.trigger('sleeper', await runId(), { seconds: 4 });
    },
    check: async (step, airflow) => {
      refused(step, ['ERR_RUN_EXISTS'], 'asked');
      const [id = ''] = triggers(step);
      assert.match(step.errors.join('\n'), new RegExp(id));
      assert.equal((await airflow.truth.runIs('sleeper', id, ['success', 'failed'])).state, 'success');
    },
  },
];

describeAirflowCases('RunAirflow@1: the same run, once', CASES);
