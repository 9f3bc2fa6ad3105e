import assert from 'node:assert/strict';
import { type ExampleAirflow, exampleAirflow } from '../support/airflow/example-airflow.ts';

describe('the DAGs of examples/airflow', function () {
  this.timeout(240_000);
  let example: ExampleAirflow;
  before(async () => {
    example = await exampleAirflow();
  });

  it('are read by this Airflow as they are', async () => {
    assert.deepEqual(await example.airflow.truth.importErrors(), []);
    assert.deepEqual([...(await example.airflow.truth.dags())].sort(), ['orders_reload', 'orders_watch']);
  });

  it('queue nothing while the data is below the threshold', async () => {
    const { truth } = example.airflow;
    await truth.trigger('orders_watch', 'quiet', { threshold: 99 });
    await truth.runIs('orders_watch', 'quiet', ['success']);
    assert.deepEqual(await truth.states('orders_watch', 'quiet'), {
      too_many_rejected: 'success',
      note_quiet_day: 'success',
      queue_pipeline: 'skipped',
      pipeline_succeeded: 'skipped',
    });
    assert.deepEqual(
      example.rows('SELECT day FROM quiet_days').map(({ day }) => day),
      ['2026-11-20'],
    );
    assert.deepEqual(example.gateway.requests, []);
  });
});
