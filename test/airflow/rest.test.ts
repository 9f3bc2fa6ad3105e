import assert from 'node:assert/strict';
import { PlumblineError } from '#core/errors.ts';
import type { JsonValue } from '#core/json.ts';
import type { AirflowApi, AirflowDag, AirflowTaskInstance } from '#engines/airflow/airflow-api.ts';
import { cancelDagRun } from '#engines/airflow/cancel-dag-run.ts';
import { checkConf } from '#engines/airflow/check-conf.ts';
import { startDagRun } from '#engines/airflow/start-dag-run.ts';
import { until } from '../support/airflow/airflow-truth.ts';
import { type AirflowUnderTest, airflowUnderTest, LINE } from '../support/airflow/airflow-under-test.ts';
import { openedAirflow } from '../support/airflow/engine-under-test.ts';
import { failure } from '../support/plumbline-failure.ts';

const SIGNAL = new AbortController().signal;
const SUFFIX = Date.now().toString(36);
const request = (name: string, conf: Readonly<Record<string, JsonValue>> = {}) => ({
  id: `plumbline-${name}-${SUFFIX}`,
  attempt: '1.1',
  conf,
  origin: {},
});

/** Airflow 3 takes any text for a date and time where rfc3339-validator is not installed; then only we refuse it. */
const LENIENT: readonly string[] = LINE === '3' ? ['a text for a date and time'] : [];
const CONFS: Readonly<Record<string, Readonly<Record<string, JsonValue>>>> = {
  'what is needed': { region: 'north' },
  nothing: {},
  'a word that is not allowed': { region: 'west' },
  'null for a text': { region: null },
  'a number at its bound': { region: 'north', count: 10 },
  'a number over its bound': { region: 'north', count: 11 },
  'a text for a number': { region: 'north', count: '3' },
  'true for a number': { region: 'north', count: true },
  'a number with a point': { region: 'north', count: 3.0 },
  'a day': { region: 'north', day: '2026-02-28' },
  'a day that is none': { region: 'north', day: '2026-02-30' },
  'a date and time': { region: 'north', at: '2026-01-01T00:00:00+01:00' },
  'a date and time without an offset': { region: 'north', at: '2026-01-01T00:00:00' },
  'a text for a date and time': { region: 'north', at: 'tomorrow' },
  'a list for an object': { region: 'north', extra: [] },
  'more than the params': { region: 'north', more: { than: ['that'] } },
};

describe(`The REST side of Airflow ${LINE}`, function () {
  this.timeout(240_000);
  let airflow: AirflowUnderTest;
  let api: AirflowApi;
  let dag: AirflowDag | undefined;
  before(async () => {
    airflow = await airflowUnderTest();
    api = await openedAirflow(airflow.url, airflow.as('steps'));
    dag = await api.dag('answers_params', SIGNAL);
  });

  for (const [what, conf] of Object.entries(CONFS)) {
    it(`accepts a conf, or refuses it, as our own look at it does: ${what}`, async () => {
      assert.ok(dag);
      const ours = await refused(checkConf({ dagId: dag.dagId, api }, dag, conf));
      const runId = request(what.replaceAll(' ', '-')).id;
      const theirs = await refused(api.trigger(dag.dagId, { runId, conf }, SIGNAL));
      if (LENIENT.includes(what)) assert.equal(ours, 'ERR_DAG_CONF_INVALID');
      else assert.equal(ours, theirs);
    });
  }

  it('lists more task instances than a page has', async () => {
    const { run } = await startDagRun({ api, dagId: 'flow_many' }, request('many'), SIGNAL);
    await airflow.truth.runIs('flow_many', run.runId, ['running', 'success']);
    await airflow.truth.taskIs('flow_many', run.runId, 'first', ['success']);
    // Mapped tasks appear one after another.
    let instances: readonly AirflowTaskInstance[] = [];
    await until(
      async () => {
        instances = await api.taskInstances(run, { signal: SIGNAL });
        return instances.length > 200;
      },
      async () => `the run has ${instances.length} task instances`,
    );
    const indexes = instances.filter(({ taskId }) => taskId === 'each').map(({ mapIndex }) => mapIndex);
    assert.deepEqual(
      indexes.sort((a, b) => a - b),
      [...Array(200).keys()],
    );
    await airflow.truth.setState('flow_many', run.runId, 'failed');
  });

  it('tells a taken logical date from a taken id', async () => {
    const place = { api, dagId: 'three' };
    const logicalDate = '2025-01-01T00:00:00Z';
    await startDagRun(place, { ...request('dated'), logicalDate }, SIGNAL);
    const again = startDagRun(place, { ...request('dated-again'), logicalDate }, SIGNAL);
    await assert.rejects(again, failure('ERR_AIRFLOW_CONFLICT', /has a run of the logical date 2025-01-01/));
    assert.equal((await startDagRun(place, { ...request('dated'), logicalDate }, SIGNAL)).how, 'found');
  });

  it('says that a run is stopped only when the process of its task is gone', async () => {
    const place = { api, dagId: 'answers_stubborn' };
    const { run } = await startDagRun(place, request('stubborn'), SIGNAL);
    await airflow.truth.taskIs('answers_stubborn', run.runId, 'ignores_signals', ['running']);
    const pid = await pidOf(airflow, run.runId);
    const answers: string[] = [];
    while (answers.at(-1) !== 'stopped') {
      const answer = await cancelDagRun(place, run.runId, 'cancelled');
      if (answer === 'stopped') assert.equal(isAlive(pid), false, `told to be stopped while ${pid} was alive`);
      answers.push(answer);
    }
    assert.equal((await airflow.truth.run('answers_stubborn', run.runId))?.state, 'failed');
  });
});

async function refused(work: Promise<unknown>): Promise<string | undefined> {
  try {
    await work;
    return undefined;
  } catch (thrown) {
    assert.ok(thrown instanceof PlumblineError, String(thrown));
    return thrown.code;
  }
}

async function pidOf(airflow: AirflowUnderTest, runId: string): Promise<number> {
  const path = `/dags/answers_stubborn/dagRuns/${runId}/taskInstances/ignores_signals`;
  for (;;) {
    const { body } = await airflow.truth.ask<{ readonly pid: number | null }>('GET', path);
    if (body.pid) return body.pid;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
