import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AirflowCase, describeAirflowCases } from '../support/airflow/airflow-cases.ts';
import type { RunningStep } from '../support/airflow/airflow-steps.ts';

/** Cancels the pipeline when this task of the run has begun its work, as its file in the marks says. */
const cancelWhenStarted = (dag: string, task: string) => async (job: RunningStep) => {
  await started(job, dag, task);
  await job.says(/running/i);
  job.cancel();
};

/** @returns the run's id */
async function started({ airflow, runId }: RunningStep, dag: string, task: string): Promise<string> {
  const run = await runId();
  await airflow.truth.taskIs(dag, run, task, ['running']);
  while (!airflow.marks(run).includes(`${task}-started`)) await sleep(50);
  return run;
}

const CASES: readonly AirflowCase[] = [
  {
    title: 'a pipeline that is cancelled has its run cancelled, and what it runs killed',
    dag: 'flow_endless',
    during: cancelWhenStarted('flow_endless', 'endless'),
    check: async (step, airflow) => {
      const id = step.output('dagRunId') ?? '';
      assert.equal(step.result, 'Canceled');
      assert.equal(step.output('runState'), 'cancelled');
      assert.ok(step.codes.error.includes('ERR_RUN_CANCELLED'), step.errors.join('\n'));
      const run = await airflow.truth.runIs('flow_endless', id, ['failed']);
      assert.match(run.note ?? '', /^plumbline: cancelled$/m);
      await marked(airflow, id, 'endless-killed');
      assert.ok(!airflow.marks(id).includes('endless-ended'));
    },
  },
  {
    title: 'a cancelled run with a teardown is never a success, although Airflow calls it one; the teardown runs',
    dag: 'flow_teardown',
    during: cancelWhenStarted('flow_teardown', 'work'),
    check: async (step, airflow) => {
      const id = step.output('dagRunId') ?? '';
      assert.equal(step.result, 'Canceled');
      assert.equal(step.output('runState'), 'cancelled');
      const run = await airflow.truth.runIs('flow_teardown', id, ['success', 'failed']);
      assert.match(run.note ?? '', /^plumbline: cancelled$/m);
      await marked(airflow, id, 'dropped');
      await marked(airflow, id, 'work-killed');
    },
  },
  {
    title: 'a run whose time is up: red with ERR_RUN_DEADLINE, and stopped',
    dag: 'flow_endless',
    inputs: { timeout: '8s' },
    check: async (step, airflow) => {
      assert.equal(step.result, 'Failed');
      assert.equal(step.output('runState'), 'deadline');
      assert.deepEqual(step.codes.error, ['ERR_RUN_DEADLINE'], step.errors.join('\n'));
      const run = await airflow.truth.runIs('flow_endless', step.output('dagRunId') ?? '', ['failed']);
      assert.match(run.note ?? '', /^plumbline: deadline$/m);
    },
  },
  {
    title: 'a run that stays queued longer than it may: cancelled, and the reason said',
    dag: 'flow_one_at_a_time',
    inputs: { queuedTimeout: '4s' },
    prepare: async (airflow) => {
      await airflow.truth.trigger('flow_one_at_a_time', 'in-the-way');
      await airflow.truth.runIs('flow_one_at_a_time', 'in-the-way', ['running']);
    },
    check: async (step, airflow) => {
      const inTheWay = await airflow.truth.run('flow_one_at_a_time', 'in-the-way');
      await airflow.truth.setState('flow_one_at_a_time', 'in-the-way', 'failed');
      assert.equal(inTheWay?.state, 'running', 'left alone');
      assert.equal(step.result, 'Failed');
      assert.ok(step.codes.error.includes('ERR_RUN_QUEUED'), step.errors.join('\n'));
      assert.match(step.errors.join('\n'), /max_active_runs/);
      assert.equal((await airflow.truth.run('flow_one_at_a_time', step.output('dagRunId') ?? ''))?.state, 'failed');
    },
  },
  {
    title: 'a run that somebody else fails in Airflow: red, and not called cancelled by us',
    dag: 'flow_endless',
    during: async (job) => {
      // Airflow 2.11 forgets a state that is set while its scheduler is about to start the task.
      const run = await started(job, 'flow_endless', 'endless');
      await job.airflow.truth.setState('flow_endless', run, 'failed');
    },
    check: (step) => {
      assert.equal(step.result, 'Failed');
      assert.equal(step.output('runState'), 'failed');
      assert.match(step.codes.error.join(), /^ERR_RUN_(TASK_)?FAILED/, step.errors.join('\n'));
    },
  },
  {
    title: 'a step that is killed in a pipeline that is cancelled: the run is stopped at the end of the job',
    dag: 'flow_endless',
    during: async (job) => {
      const run = await job.runId();
      await job.airflow.truth.runIs('flow_endless', run, ['running']);
      await job.says(/running/i);
      job.kill();
      job.cancel();
    },
    check: async (step, airflow) => {
      const [sent] = step.proxy.seen('POST', /\/dagRuns$/);
      const { dag_run_id: id } = JSON.parse(sent?.body ?? '{}') as { dag_run_id: string };
      await airflow.truth.runIs('flow_endless', id, ['failed']);
      await marked(airflow, id, 'endless-killed');
    },
  },
];

async function marked(airflow: Parameters<AirflowCase['check']>[1], run: string, mark: string): Promise<void> {
  for (const end = Date.now() + 30_000; !airflow.marks(run).includes(mark); await sleep(100))
    assert.ok(Date.now() < end, `${mark} was not left; there are ${airflow.marks(run).join(', ')}`);
}

describeAirflowCases('RunAirflow@1: what stops a run', CASES);
