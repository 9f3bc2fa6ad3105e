import assert from 'node:assert/strict';
import { endGroup } from '../../scripts/end-group.ts';
import { groupsOfChildren } from '../../scripts/process-watch.ts';
import { type AirflowUnderTest, airflowUnderTest } from '../support/airflow/airflow-under-test.ts';
import { FaultProxy } from '../support/airflow/fault-proxy.ts';

describe('the Airflow under test', function () {
  this.timeout(240_000);
  let airflow: AirflowUnderTest;
  before(async () => {
    airflow = await airflowUnderTest();
  });

  it('runs DAGs, and says what became of them', async () => {
    await airflow.truth.trigger('three', 'by-hand');
    await airflow.truth.runIs('three', 'by-hand', ['success']);
    assert.deepEqual(await airflow.truth.states('three', 'by-hand'), {
      extract: 'success',
      transform: 'success',
      load: 'success',
    });
  });

  it('cannot read one file, and says so', async () => {
    const errors = await airflow.truth.importErrors();
    const files = errors.map(({ filename }) => filename.split('/').at(-1));
    assert.deepEqual(files, ['answers_broken.py']);
  });

  it('has a part started again that ends by itself, and goes on', async () => {
    const before = airflow.server.processOf('scheduler');
    assert.ok(before?.pid !== undefined);
    // The DAG processor of 2.11's scheduler leads a group of its own and would outlive it.
    const apart = groupsOfChildren(before.pid);
    before.kill('SIGKILL');
    for (const group of apart) endGroup(group, 'SIGKILL');
    await airflow.truth.trigger('three', 'after-a-death');
    await airflow.truth.runIs('three', 'after-a-death', ['success']);
    assert.equal(before.signalCode, 'SIGKILL');
    assert.notEqual(airflow.server.processOf('scheduler')?.pid, before.pid);
  });

  it('lets nobody but its administrator do what an administrator does', async () => {
    const run = { dag_run_id: 'forbidden', conf: {}, ...(airflow.line === '3' && { logical_date: null }) };
    const refused = await airflow.as('viewer').ask('POST', '/dags/three/dagRuns', run);
    assert.equal(refused.status, 403);
    assert.equal((await airflow.as('steps').ask('POST', '/dags/three/dagRuns', run)).status, 200);
  });

  it('answers through a proxy that spoils what it is told to, and counts', async () => {
    const proxy = await FaultProxy.to(airflow.url);
    const path = `${proxy.url}/api/${airflow.line === '3' ? 'v2' : 'v1'}/version`;
    try {
      proxy.inject({
        path: /version/,
        skip: 1,
        fault: { kind: 'answer', status: 503, headers: { 'retry-after': '1' } },
      });
      proxy.inject({ path: /version/, fault: { kind: 'reset', when: 'after' } });
      proxy.inject({ path: /version/, fault: { kind: 'cut', afterBytes: 3 } });
      await assert.rejects(fetch(path));
      assert.equal((await fetch(path)).status, 503);
      await assert.rejects(fetch(path).then((answer) => answer.text()));
      assert.match(await (await fetch(path)).text(), /version/);
      proxy.cut();
      await assert.rejects(fetch(path));
      proxy.mend();
      assert.equal((await fetch(path)).status, 200);
      assert.deepEqual(
        proxy.requests.flatMap(({ fault }) => fault ?? []),
        ['reset', 'answer', 'cut'],
      );
    } finally {
      await proxy.close();
    }
  });
});
