import assert from 'node:assert/strict';
import { describeAirflowCases, green, red } from '../support/airflow/airflow-cases.ts';
import { AIRFLOW_EXAMPLES, exampleText } from '../support/airflow/airflow-examples.ts';
import { type AirflowUnderTest, LINE } from '../support/airflow/airflow-under-test.ts';

const EXAMPLES = AIRFLOW_EXAMPLES[LINE];

async function layOut(airflow: AirflowUnderTest): Promise<void> {
  assert.ok(EXAMPLES.length >= 10);
  for (const { file } of EXAMPLES) airflow.addDagFile(`examples/${file}.py`, exampleText(LINE, file));
  await airflow.truth.parsed(EXAMPLES.map(({ dag }) => dag));
}

let laidOut: Promise<void> | undefined;

// Green and red compare the report with Airflow's own task instances, one by one.
describeAirflowCases(
  'RunAirflow@1: examples that come with Airflow',
  EXAMPLES.map(({ dag, ends, conf }) => ({
    title: dag,
    dag,
    prepare: (airflow) => {
      laidOut ??= layOut(airflow);
      return laidOut;
    },
    inputs: { ...(conf !== undefined && { conf }) },
    check: (step, airflow) => (ends === 'failed' ? red(step, airflow, ['ERR_RUN_TASK_FAILED']) : green(step, airflow)),
  })),
);
