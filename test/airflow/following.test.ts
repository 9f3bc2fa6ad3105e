import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';
import type { RunOutcome, RunRef, RunUpdate } from '#core/run.ts';
import type { AirflowApi } from '#engines/airflow/airflow-api.ts';
import { type AirflowEngineOptions, airflowEngine } from '#engines/airflow/airflow-engine.ts';
import { readResults } from '#engines/airflow/read-results.ts';
import { runNameOf } from '#engines/airflow/run-name.ts';
import { type AirflowUnderTest, airflowUnderTest, LINE } from '../support/airflow/airflow-under-test.ts';
import { openedAirflow } from '../support/airflow/engine-under-test.ts';

const { signal } = new AbortController();

interface Followed {
  readonly ref: RunRef;
  readonly updates: readonly RunUpdate[];
  readonly outcome: RunOutcome;
  /** What was shown, and what was told. */
  readonly shown: string;
  readonly told: readonly string[];
}

describe(`following real runs (Airflow ${LINE})`, function () {
  this.timeout(240_000);
  let airflow: AirflowUnderTest;
  let api: AirflowApi;
  before(async () => {
    airflow = await airflowUnderTest();
    api = await openedAirflow(airflow.url, airflow.as('steps'));
  });

  async function followed(
    dagId: string,
    conf: Readonly<Record<string, number>> = {},
    during: (update: RunUpdate, runId: string) => Promise<void> = async () => {},
    options: Partial<AirflowEngineOptions> = {},
  ): Promise<Followed> {
    const updates: RunUpdate[] = [];
    const told: string[] = [];
    let shown = '';
    const write = (chunk: Buffer, _: string, done: () => void) => {
      shown += chunk.toString();
      done();
    };
    const log = { debug: () => {}, info: (text: string) => void told.push(text) };
    const engine = airflowEngine({ api, dagId, output: new Writable({ write }), log, ...options });
    const ref = await engine.start({ id: `follow-${randomUUID()}`, attempt: '1.1', conf, origin: {} }, signal);
    for await (const update of engine.follow(ref, signal)) {
      updates.push(update);
      await during(update, ref.id);
    }
    const last = updates.at(-1);
    assert.ok(last?.kind === 'outcome');
    return { ref, updates, outcome: last.outcome, shown, told };
  }

  it('reads what tasks have pushed, whatever their ids are', async () => {
    const { ref, outcome } = await followed('follow_values');
    assert.equal(outcome.state, 'succeeded', outcome.summary);
    const wanted = ['totals.rows', 'totals.extra', 'part', 'part[2]', 'big', 'nobody'].map((task) => ({
      name: task,
      task,
    }));
    const { values, missing } = await readResults(api, runNameOf(ref), wanted, signal);
    assert.deepEqual(Object.fromEntries(values), {
      'totals.rows': '42',
      'totals.extra': '##vs o[task.setvariable variable=x]1',
      part: '[10,20,30]',
      'part[2]': '30',
    });
    assert.deepEqual(
      missing.map(({ name }) => name),
      ['big', 'nobody'],
    );
  });

  it('shows the end of a long log, which gives the agent no orders, and finds the exception in it', async () => {
    const { outcome, shown } = await followed('follow_long_log');
    const [task] = outcome.tasks;
    assert.deepEqual([task?.failure?.type, task?.failure?.message], ['ValueError', 'the orders\ncannot be read']);
    assert.match(task?.failure?.traceback ?? '', /FileNotFoundError[\s\S]*direct cause[\s\S]*ValueError/);
    assert.match(task?.failure?.frame?.file ?? '', /following\.py$/);
    assert.match(shown, /^--- Log of chatty, try 1: the last 200 of 5\d\d\d lines ---$/m);
    assert.doesNotMatch(shown, /##vso\[/);
  });

  it('goes on with a run whose state somebody sets back', async () => {
    let isSet = false;
    const { updates, outcome } = await followed('follow_steps', { seconds: 8 }, async (update, run) => {
      if (isSet || update.kind !== 'task' || update.task.state !== 'running') return;
      isSet = true;
      await airflow.truth.setState('follow_steps', run, 'queued');
    });
    assert.equal(outcome.state, 'succeeded', outcome.summary);
    assert.deepEqual(
      outcome.tasks.map(({ state }) => state),
      ['done', 'done'],
    );
    assert.equal(updates.filter(({ kind }) => kind === 'outcome').length, 1);
  });

  it('says that a run was deleted under it', async () => {
    const dag = 'flow_one_at_a_time';
    const holding = `holds-${randomUUID()}`;
    await airflow.truth.trigger(dag, holding);
    await airflow.truth.runIs(dag, holding, ['running']);
    const { outcome } = await followed(dag, {}, async (update, run) => {
      if (update.kind !== 'state' || update.state !== 'queued') return;
      // Airflow 2 refuses one of JSON without a body.
      const { status } = await airflow.truth.ask('DELETE', `/dags/${dag}/dagRuns/${run}`, {});
      assert.equal(status, 204);
    });
    await airflow.truth.setState(dag, holding, 'failed');
    assert.deepEqual([outcome.state, outcome.findings.map(({ code }) => code)], ['lost', ['ERR_RUN_LOST']]);
    assert.match(outcome.summary ?? '', /was deleted/);
  });

  if (LINE === '3') {
    it('tells once that a person has to answer, and goes on when that was done', async () => {
      const dag = 'follow_person';
      let isAnswered = false;
      const { outcome, told } = await followed(dag, {}, async (update, run) => {
        if (isAnswered || update.kind === 'outcome' || update.kind === 'state') return;
        if (!update.task.statusMessage?.includes('awaiting_input')) return;
        isAnswered = true;
        const path = `/dags/${dag}/dagRuns/${run}/taskInstances/approve/-1/hitlDetails`;
        const { status } = await airflow.truth.ask('PATCH', path, { chosen_options: ['Approve'], params_input: {} });
        assert.equal(status, 200);
      });
      assert.equal(outcome.state, 'succeeded', outcome.summary);
      assert.equal(told.filter((text) => text.includes('waits for the answer of a person')).length, 1);
    });
  }
});
