import assert from 'node:assert/strict';
import { type AirflowCase, describeAirflowCases, green, red, taskStatesOf } from '../support/airflow/airflow-cases.ts';

const CASES: readonly AirflowCase[] = [
  {
    title: 'a run that succeeds: green, confirmed, each task counted, its address shown',
    dag: 'three',
    check: async (step, airflow) => {
      await green(step, airflow);
      assert.equal(step.output('tasksTotal'), '3');
      assert.equal(step.output('tasksFailed'), '0');
      assert.equal(step.report.run.verified, 'confirmed');
      assert.deepEqual(taskStatesOf(step), { extract: 'done', transform: 'done', load: 'done' });
      assert.match(step.output('dagRunUrl') ?? '', /\/dags\/three\//);
      assert.match(step.output('dagRunId') ?? '', /^plumbline-/);
    },
  },
  {
    title: 'a run that fails: red, with the task that failed, its exception and the one behind it',
    dag: 'failing',
    check: async (step, airflow) => {
      await red(step, airflow, ['ERR_RUN_TASK_FAILED']);
      assert.match(step.errors.join('\n'), /bad/);
      assert.match(step.errors.join('\n'), /ValueError: orders\.csv has 3 rows, 4 expected/);
      assert.deepEqual(taskStatesOf(step), { good: 'done', bad: 'failed', behind: 'blocked' });
      assert.equal(step.output('tasksFailed'), '1');
      assert.match(step.log, /orders\.csv has 3 rows/);
    },
  },
  {
    title: 'a success with a failed task inside: SucceededWithIssues, the task named',
    dag: 'hidden_failure',
    check: async (step, airflow) => {
      assert.equal(await truthOf(step, airflow), 'success');
      assert.equal(step.result, 'SucceededWithIssues');
      assert.ok(step.codes.warning.includes('ERR_RUN_TASK_FAILED'), step.warnings.join('\n'));
      assert.match(step.warnings.join('\n'), /breaks/);
      assert.match(step.warnings.join('\n'), /the table is empty/);
      assert.deepEqual(step.errors, []);
    },
  },
  {
    title: 'the same with failOnTaskFailure: red',
    dag: 'hidden_failure',
    inputs: { failOnTaskFailure: 'true' },
    check: async (step, airflow) => {
      assert.equal(await truthOf(step, airflow), 'success');
      assert.equal(step.result, 'Failed');
      assert.ok(step.codes.error.includes('ERR_RUN_TASK_FAILED'), step.errors.join('\n'));
      assert.notEqual(step.output('runState'), 'succeeded');
    },
  },
  {
    title: 'a success with two failed tasks: both named',
    dag: 'flow_two_fail',
    check: async (step) => {
      assert.equal(step.result, 'SucceededWithIssues');
      assert.equal(step.codes.warning.filter((code) => code === 'ERR_RUN_TASK_FAILED').length, 2);
      for (const task of ['bad_0', 'bad_1']) assert.match(step.warnings.join('\n'), new RegExp(task));
      assert.equal(step.output('tasksFailed'), '2');
    },
  },
  {
    title: 'a task that succeeds when it is tried again: green',
    dag: 'flow_retry',
    check: async (step, airflow) => {
      await green(step, airflow);
      assert.deepEqual(taskStatesOf(step), { second_time: 'done' });
    },
  },
  {
    title: 'mapped tasks: the one that failed is named with its index, what needs it is blocked',
    dag: 'flow_mapped',
    check: async (step, airflow) => {
      await red(step, airflow, ['ERR_RUN_TASK_FAILED']);
      assert.match(step.errors.join('\n'), /load_region\(map_index=1\b/);
      assert.match(step.errors.join('\n'), /no rows for south/);
      assert.deepEqual(taskStatesOf(step), {
        list_regions: 'done',
        'load_region[0]': 'done',
        'load_region[1]': 'failed',
        'load_region[2]': 'done',
        report: 'done',
        needs_all: 'blocked',
      });
    },
  },
  {
    title: 'a branch that was not taken is skipped, and the run green',
    dag: 'flow_branch',
    check: async (step, airflow) => {
      await green(step, airflow);
      assert.deepEqual(taskStatesOf(step), { choose: 'done', taken: 'done', not_taken: 'skipped', joined: 'done' });
    },
  },
  {
    title: 'a short circuit: the rest skipped, green',
    dag: 'flow_short_circuit',
    check: async (step, airflow) => {
      await green(step, airflow);
      assert.deepEqual(taskStatesOf(step), { has_rows: 'done', behind: 'skipped', last: 'skipped' });
    },
  },
  {
    title: 'a task that waits at the triggerer: green',
    dag: 'flow_deferred',
    check: async (step, airflow) => {
      await green(step, airflow);
      assert.deepEqual(taskStatesOf(step), { waits: 'done' });
    },
  },
  {
    title: 'tasks in groups have their whole names',
    dag: 'flow_groups',
    check: async (step, airflow) => {
      await green(step, airflow);
      assert.deepEqual(taskStatesOf(step), { 'outer.inner.leaf': 'done', 'outer.after': 'done' });
    },
  },
  {
    title: 'two hundred mapped tasks: every one counted',
    dag: 'flow_many',
    check: async (step, airflow) => {
      await green(step, airflow);
      assert.equal(step.output('tasksTotal'), '201');
      assert.equal(
        Object.values(step.report.counts).reduce((sum, count) => sum + count, 0),
        201,
      );
    },
  },
  {
    title: 'assets that tasks write are in the lineage',
    dag: 'flow_assets',
    check: async (step, airflow) => {
      await green(step, airflow);
      const lineage = step.job.texts.find(({ place }) => place.startsWith('plumbline-lineage/'))?.text ?? '';
      for (const name of ['orders.csv', 'customers.csv']) assert.match(lineage, new RegExp(`flows/${name}`));
    },
  },
  {
    title: 'results: values of tasks as variables, each kind, and what could not be had is said',
    dag: 'flow_results',
    inputs: {
      results: JSON.stringify({
        returned: 'returns',
        text: 'returns.text',
        number: 'returns.number',
        truth: 'returns.truth',
        nested: 'returns.nested',
        hostile: 'returns.hostile',
        huge: 'returns.huge',
        none: 'nothing',
        unknown: 'no_such_task',
      }),
    },
    check: (step) => {
      assert.match(step.result ?? '', /^Succeeded/);
      const result = (name: string) => step.output(`result_${name}`);
      assert.deepEqual(['returned', 'text', 'number', 'truth', 'nested'].map(result), [
        'returned',
        'plain text',
        '42',
        'true',
        '{"rows":[1,2.5,null,"é"]}',
      ]);
      assert.doesNotMatch(result('hostile') ?? '', /##vso\[|##\[/);
      assert.equal(result('huge') ?? '', '', 'never cut');
      const said = step.warnings.join('\n');
      for (const name of ['huge', 'unknown']) assert.match(said, new RegExp(`\\bresult_${name}\\b`));
      assert.equal(step.output('stolen'), undefined);
    },
  },
  {
    title: 'conf reaches the tasks with its types, from YAML',
    dag: 'flow_params',
    inputs: {
      conf: 'region: south\ncount: 7\nday: "2026-11-20"\nnested:\n  a: [1, true, null]\n',
      results: 'used: use',
    },
    check: async (step, airflow) => {
      await green(step, airflow);
      const { conf } = (await airflow.truth.run('flow_params', step.output('dagRunId') ?? '')) ?? { conf: {} };
      const { plumbline, openlineage, ...own } = conf as Record<string, unknown>;
      assert.deepEqual(own, { region: 'south', count: 7, day: '2026-11-20', nested: { a: [1, true, null] } });
      assert.ok(plumbline);
      assert.ok(openlineage);
      assert.deepEqual(JSON.parse(step.output('result_used') ?? ''), { ...own, plain: 'anything' });
    },
  },
  {
    title: 'a logical date and a note are the run’s, and both systems know each other',
    dag: 'flow_dated',
    inputs: { logicalDate: '2026-03-04T05:06:07Z', note: 'monthly close', results: 'day: day' },
    check: async (step, airflow) => {
      await green(step, airflow);
      const id = step.output('dagRunId') ?? '';
      const run = await airflow.truth.run('flow_dated', id);
      assert.equal(Date.parse(run?.logical_date ?? ''), Date.parse('2026-03-04T05:06:07Z'));
      assert.equal(step.output('result_day'), '2026-03-04');
      assert.match(run?.note ?? '', /monthly close/);
      const shared = step.output('sharedId') ?? '';
      assert.match(shared, /\S{8}/);
      assert.ok(run?.note?.includes(shared), `${run?.note} names ${shared}`);
      assert.equal((run?.conf['plumbline'] as Record<string, string> | undefined)?.['sharedId'], shared);
      assert.ok(
        step.job.report.tags.some((tag) => tag.includes(shared)),
        step.job.report.tags.join('\n'),
      );
      assert.ok(
        step.job.report.tags.some((tag) => tag.includes(id)),
        step.job.report.tags.join('\n'),
      );
    },
  },
  {
    title: 'hostile text in logs and exceptions commands nothing',
    dag: 'flow_hostile',
    check: async (step, airflow) => {
      await red(step, airflow, ['ERR_RUN_TASK_FAILED']);
      assert.equal(step.output('stolen'), undefined);
      assert.doesNotMatch(step.errors.join('\n'), /##vso\[|##\[/);
      const summary = step.job.texts.find(({ place }) => /Summary/.test(place))?.text ?? '';
      assert.match(summary, /says/);
      assert.doesNotMatch(summary, /##vso\[|##\[/);
      // In a fenced block nothing is markup; the renderer's own tests hold the fence to that.
      assert.doesNotMatch(summary.replaceAll(/^(`{3,})text\n[\s\S]*?^\1$/gm, ''), /<script>/);
    },
  },
  {
    title: 'wait: false leaves the run to Airflow: green, said, with its id, never as a success of the run',
    dag: 'sleeper',
    inputs: { wait: 'false', conf: '{"seconds": 3}' },
    check: async (step, airflow) => {
      assert.equal(step.result, 'Succeeded', step.errors.join('\n'));
      assert.match(step.output('runState') ?? '', /^(queued|running)$/);
      const run = await airflow.truth.runIs('sleeper', step.output('dagRunId') ?? '', ['success']);
      assert.equal(run.state, 'success', 'the end of the job did not stop it');
    },
  },
];

/** What Airflow says of the run. */
async function truthOf(...[step, airflow]: Parameters<AirflowCase['check']>): Promise<string | undefined> {
  return (await airflow.truth.run(step.dag, step.output('dagRunId') ?? ''))?.state;
}

describeAirflowCases('RunAirflow@1: what becomes of a run', CASES);
