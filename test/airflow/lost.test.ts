import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { RunOutcome, RunUpdate } from '#core/run.ts';
import { type AirflowEngine, airflowEngine } from '#engines/airflow/airflow-engine.ts';
import { openAirflow } from '#engines/airflow/open-airflow.ts';
import { createHttp } from '#http/http.ts';
import { type AirflowUnderTest, airflowUnderTest, LINE } from '../support/airflow/airflow-under-test.ts';
import { FaultProxy } from '../support/airflow/fault-proxy.ts';

/** The product's own is ten minutes. */
const LOST_AFTER_MS = 4_000;

/** The last update of a run of which the server says nothing any more from some moment on. */
async function followed(
  engine: AirflowEngine,
  id: string,
  onUpdate: (update: RunUpdate) => Promise<void> | void,
): Promise<RunOutcome> {
  const signal = AbortSignal.timeout(120_000);
  const request = { id, attempt: '1.1', conf: { seconds: 15 }, origin: {} };
  for await (const update of engine.follow(await engine.start(request, signal), signal)) {
    await onUpdate(update);
    if (update.kind === 'outcome') return update.outcome;
  }
  return assert.fail('it ended without an outcome');
}

describe(`a run of which nobody hears any more (Airflow ${LINE})`, function () {
  this.timeout(240_000);
  let airflow: AirflowUnderTest;
  let proxy: FaultProxy;
  let engine: AirflowEngine;

  before(async () => {
    airflow = await airflowUnderTest();
  });

  beforeEach(async () => {
    proxy = await FaultProxy.to(airflow.url);
    const authorization = await airflow.as('steps').authorization();
    const credentials = { headers: async () => ({ authorization }), refused: () => undefined };
    const http = createHttp({ skipVerification: false });
    const api = await openAirflow({ url: proxy.url, http, credentials }, AbortSignal.timeout(30_000));
    engine = airflowEngine({ api, dagId: 'sleeper', lostAfterMs: LOST_AFTER_MS });
  });

  afterEach(() => proxy.close());

  it('is lost, which is neither green nor failed, and goes on in Airflow', async () => {
    const id = `lost-${randomUUID()}`;
    const outcome = await followed(engine, id, async (update) => {
      if (update.kind !== 'state' || update.state !== 'running') return;
      proxy.cut();
    });
    assert.equal(outcome.state, 'lost');
    assert.deepEqual(
      outcome.findings.map(({ code }) => code),
      ['ERR_RUN_LOST'],
    );
    assert.equal((await airflow.truth.runIs('sleeper', id, ['success', 'failed'])).state, 'success');
  });

  it('is followed on when the server comes back in time', async () => {
    const id = `back-${randomUUID()}`;
    const outcome = await followed(engine, id, (update) => {
      if (update.kind !== 'state' || update.state !== 'running') return;
      proxy.cut();
      setTimeout(() => proxy.mend(), LOST_AFTER_MS / 2);
    });
    assert.equal(outcome.state, 'succeeded');
  });
});
