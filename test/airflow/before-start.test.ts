import assert from 'node:assert/strict';
import { type AirflowCase, describeAirflowCases, green, refused } from '../support/airflow/airflow-cases.ts';
import { type AirflowUnderTest, LINE } from '../support/airflow/airflow-under-test.ts';

const GOOD_DAG = (id: string) => `
from airflow_names import DAG, EmptyOperator
with DAG("${id}", schedule=None):
    EmptyOperator(task_id="only")
`;

/** What the params of flow_params forbid, and the parameter that the message has to name. */
const WRONG_CONFS: readonly (readonly [string, string, RegExp])[] = [
  ['a required one is missing', '{}', /region/],
  ['none of an enumeration', '{"region": "east"}', /region/],
  ['text for an integer', '{"region": "north", "count": "many"}', /count/],
  ['an integer out of range', '{"region": "north", "count": 11}', /count/],
  ['no date', '{"region": "north", "day": "yesterday"}', /day/],
];

const CASES: readonly AirflowCase[] = [
  {
    title: 'a paused DAG is refused: a run would stay queued',
    dag: 'flow_paused',
    check: async (step, airflow) => {
      refused(step, ['ERR_DAG_PAUSED']);
      assert.match(step.errors.join('\n'), /unpause/);
      assert.equal(await airflow.truth.isPaused('flow_paused'), true);
      assert.deepEqual(await airflow.truth.runs('flow_paused'), []);
    },
  },
  {
    title: 'unpause: true unpauses it, and it stays so',
    dag: 'flow_unpaused_by_step',
    inputs: { unpause: 'true' },
    check: async (step, airflow) => {
      await green(step, airflow);
      assert.equal(await airflow.truth.isPaused('flow_unpaused_by_step'), false);
    },
  },
  {
    title: 'a DAG that is not there',
    dag: 'no_such_dag',
    check: (step) => {
      refused(step, ['ERR_DAG_NOT_FOUND']);
      assert.match(step.errors.join('\n'), /no_such_dag/);
    },
  },
  {
    title: 'a DAG whose file could never be imported',
    dag: 'answers_broken',
    check: (step) => {
      refused(step, ['ERR_DAG_IMPORT']);
      assert.match(
        step.errors.join('\n'),
        /answers_broken\.py.*No module named 'orders_schema_that_is_not_installed'/s,
      );
    },
  },
  {
    title: 'a DAG whose file was changed and cannot be imported any more',
    dag: 'goes_bad',
    prepare: async (airflow) => {
      airflow.addDagFile('goes_bad.py', GOOD_DAG('goes_bad'));
      await airflow.truth.parsed(['goes_bad']);
      airflow.addDagFile('goes_bad.py', `import gone_${LINE.replace('.', '_')}\n${GOOD_DAG('goes_bad')}`);
      await importErrorOf(airflow, 'goes_bad.py', true);
    },
    check: (step) => {
      refused(step, ['ERR_DAG_IMPORT']);
      assert.match(step.errors.join('\n'), /No module named 'gone_/);
    },
    cleanUp: async (airflow) => {
      airflow.removeDagFile('goes_bad.py');
      await importErrorOf(airflow, 'goes_bad.py', false);
    },
  },
  ...WRONG_CONFS.map(
    ([what, conf, names]): AirflowCase => ({
      title: `conf against the params: ${what}`,
      dag: 'flow_params',
      inputs: { conf },
      check: (step) => {
        refused(step, ['ERR_DAG_CONF_INVALID']);
        assert.match(step.errors.join('\n'), names);
        assert.deepEqual(step.proxy.seen('POST', /\/dagRuns$/), [], 'before the trigger');
      },
    }),
  ),
  {
    title: 'keys of conf that are not the author’s to set',
    dag: 'three',
    inputs: { conf: '{"plumbline": {"key": "mine"}}' },
    check: (step) => {
      refused(step, ['ERR_INPUT_INVALID']);
      assert.match(step.errors.join('\n'), /plumbline/);
    },
  },
  {
    title: 'a user who may read only',
    dag: 'three',
    user: 'viewer',
    check: (step) => {
      refused(step, ['ERR_AIRFLOW_REFUSED'], 'asked');
      assert.match(step.errors.join('\n'), /Forbidden/i);
    },
  },
  {
    title: 'a credential that Airflow does not know',
    dag: 'three',
    connection: { secret: 'wrong-and-long-enough-to-see' },
    check: (step) => {
      refused(step, ['ERR_AIRFLOW_REFUSED']);
      assert.doesNotMatch(step.errors.join('\n'), /wrong-and-long/);
    },
  },
  {
    title: 'a user name and password that Airflow 3’s own login does not know',
    line: '3',
    dag: 'three',
    connection: { scheme: 'UsernamePassword', username: 'plumbline-steps', secret: 'not-the-password' },
    check: (step) => refused(step, ['ERR_AIRFLOW_REFUSED']),
  },
  {
    title: 'a user name and password of Airflow 3: a token is had from its own login',
    line: '3',
    dag: 'three',
    connection: { scheme: 'UsernamePassword', username: 'plumbline-steps', secret: 'steps-local-only-7Hq2vX' },
    check: async (step, airflow) => {
      await green(step, airflow);
      assert.equal(step.proxy.seen('POST', /\/auth\/token$/).length, 1);
    },
  },
  {
    title: 'a DAG version, where DAGs have none: refused before the trigger',
    dag: 'three',
    inputs: { dagVersion: '0123456789abcdef0123456789abcdef01234567' },
    check: (step) => refused(step, ['ERR_DAG_VERSION_UNSUPPORTED']),
  },
  {
    title: 'an address at which no Airflow is',
    dag: 'three',
    faults: [{ path: /./, count: 1_000, fault: { kind: 'answer', status: 404, body: '<html>nothing here</html>' } }],
    check: (step) => {
      assert.equal(step.result, 'Failed');
      assert.match(step.codes.error.join(), /^ERR_AIRFLOW_(PROTOCOL|UNSUPPORTED)$/, step.errors.join('\n'));
    },
  },
  {
    title: 'a sign-in page in front of it',
    dag: 'three',
    faults: [
      {
        path: /./,
        count: 1_000,
        fault: { kind: 'answer', status: 302, headers: { location: 'https://login.example.com/?next=/' } },
      },
    ],
    // With a user name and password a token is asked for first, at a path that has none either.
    check: (step) => refused(step, [LINE === '3' ? 'ERR_AIRFLOW_REFUSED' : 'ERR_AIRFLOW_PROTOCOL']),
  },
];

/** Waits until Airflow has an import error of this file, or has none any more. */
async function importErrorOf(airflow: AirflowUnderTest, file: string, wanted: boolean): Promise<void> {
  const has = async () => (await airflow.truth.importErrors()).some(({ filename }) => filename.endsWith(file));
  for (const end = Date.now() + 60_000; (await has()) !== wanted; ) {
    assert.ok(Date.now() < end, 'Airflow has not looked at the file again');
    await new Promise((done) => setTimeout(done, 300));
  }
}

describeAirflowCases('RunAirflow@1: what is refused, and starts nothing', CASES);
