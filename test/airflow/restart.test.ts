import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AirflowCase, describeAirflowCases, green, red } from '../support/airflow/airflow-cases.ts';
import { LINE } from '../support/airflow/airflow-under-test.ts';

const API = LINE === '3' ? 'api-server' : 'webserver';

const CASES: readonly AirflowCase[] = (['SIGTERM', 'SIGKILL'] as const).map(
  (signal): AirflowCase => ({
    title: `the API server ends by ${signal} in mid-run and comes back: the run is followed to its end, and told as it is`,
    dag: 'sleeper',
    inputs: { conf: '{"seconds": 12}' },
    during: async ({ airflow, proxy, runId, says }) => {
      await airflow.truth.runIs('sleeper', await runId(), ['running']);
      await says(/running/i);
      await airflow.server.stop(API, signal);
      const before = proxy.requests.length;
      // It has been asked for, and was away.
      while (proxy.requests.length < before + 2) await sleep(50);
      airflow.server.start(API);
      await airflow.server.answers();
    },
    check: async (step, airflow) => {
      // A task of Airflow 3 reports to the API server: whether it lives through this is a question of how long it takes.
      const run = await airflow.truth.run('sleeper', step.output('dagRunId') ?? '');
      if (LINE === '2.11' || run?.state === 'success') await green(step, airflow);
      else await red(step, airflow, ['ERR_RUN_TASK_FAILED']);
      assert.equal(step.proxy.seen('POST', /\/dagRuns$/).length, 1);
    },
  }),
);

// One after the other: they have one server.
describeAirflowCases('RunAirflow@1: an Airflow that is started again', CASES, 1);
