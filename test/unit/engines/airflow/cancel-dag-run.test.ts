import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { cancelDagRun } from '#engines/airflow/cancel-dag-run.ts';
import { saysProcessEnded } from '#engines/airflow/last-words.ts';
import { RECORDED_LINES, RECORDED_RUN } from '../../../support/airflow/recorded-answers.ts';
import { type AskedAirflow, ScriptedAirflow } from '../../../support/airflow/scripted-airflow.ts';
import { failure } from '../../../support/plumbline-failure.ts';

const DAG = 'answers_teardown';
const RUN = `/dags/${DAG}/dagRuns/${RECORDED_RUN}`;
const INSTANCES = `GET ${RUN}/taskInstances`;
const LOG = `GET ${RUN}/taskInstances/work/logs/1`;

for (const line of RECORDED_LINES) {
  describe(`A run is stopped, Airflow ${line}`, () => {
    let server: ScriptedAirflow;
    beforeEach(async () => {
      server = await ScriptedAirflow.start(line);
      server
        .on(`GET ${RUN}`, { like: 'stopping', body: { note: 'run 17' } }, 'stopping', 'stopped')
        .on(`PATCH ${RUN}`, 'stopping')
        .on(`PATCH ${RUN}/setNote`, 'noted')
        .on(INSTANCES, working(), 'stoppedInstances')
        .on(LOG, 'logMissing', 'killedLog');
    });
    afterEach(() => server.close());
    const stop = async (reason: 'cancelled' | 'deadline' = 'cancelled') =>
      cancelDagRun({ api: await server.open(), dagId: DAG, clock: server.clock }, RECORDED_RUN, reason);
    const patches = () =>
      server.asked.filter(({ method }) => method === 'PATCH').map(({ body }) => JSON.parse(body) as object);
    const states = () => patches().filter((patch) => 'state' in patch);
    /** As the run's task instances were when it was stopped. */
    function working(more: Record<string, unknown> = {}) {
      const instances = (server.recorded('stoppedInstances').body as { task_instances: Record<string, unknown>[] })
        .task_instances;
      const task_instances = instances.map((one) =>
        one['task_id'] === 'work' ? { ...one, state: 'running', end_date: null, ...more } : one,
      );
      return { like: 'stoppedInstances', body: { task_instances } };
    }

    it('remembers that before it does it', async () => {
      await stop('deadline');
      assert.deepEqual(patches().slice(0, 2), [{ note: 'run 17\nplumbline: deadline' }, { state: 'failed' }]);
    });

    it('is stopped when the log of each task that was at work says that its process is gone', async () => {
      assert.equal(await stop(), 'stopped');
    });

    it('ends in success because of its teardown, and is then set to failed once more', async () => {
      assert.equal((server.recorded('stopped').body as { state: string }).state, 'success');
      await stop();
      assert.deepEqual(states(), [{ state: 'failed' }, { state: 'failed' }]);
    });

    it('is asked once more when the scheduler has written over its state', async () => {
      const running = { like: 'stopping', body: { state: 'running' } };
      server
        .on(`PATCH ${RUN}`, { like: 'stopping', body: { state: 'failed' } })
        .on(`GET ${RUN}`, running)
        .on(LOG, 'killedLog');
      assert.equal(await stop(), 'requested');
      assert.deepEqual(states(), [{ state: 'failed' }, { state: 'failed' }]);
    });

    it('is only asked when the log does not say so', async () => {
      for (const log of [
        'logMissing',
        { status: 403, body: { detail: 'Forbidden' } },
        { status: 503 },
        'log',
      ] as const) {
        server.on(LOG, log).on(`GET ${RUN}`, 'stopping', 'stopped').on(INSTANCES, working(), 'stoppedInstances');
        assert.equal(await stop(), 'requested', JSON.stringify(log));
      }
    });

    it('is only asked while its teardown runs', async () => {
      server.on(`GET ${RUN}`, 'stopping');
      assert.equal(await stop(), 'requested');
      assert.deepEqual(states(), [{ state: 'failed' }]);
    });

    it('is stopped without a look at logs when no task was at work', async () => {
      server.on(INSTANCES, 'stoppedInstances').on(LOG, { status: 500 });
      assert.equal(await stop(), 'stopped');
      assert.ok(!server.paths.some((path) => path.includes('/logs/')));
    });

    it('is only asked when nobody can see its tasks', async () => {
      server.on(INSTANCES, { status: 403, body: { detail: 'Forbidden' } });
      assert.equal(await stop(), 'requested');
      assert.ok(states().length > 0);
    });

    it('has nothing to stop when it ended by itself or is gone', async () => {
      server.on(`GET ${RUN}`, 'stopped');
      assert.equal(await stop(), 'stopped');
      server.on(`GET ${RUN}`, 'runMissing');
      assert.equal(await stop(), 'stopped');
      assert.deepEqual(patches(), []);
    });

    it('is looked at again when it was asked before', async () => {
      const ended = {
        like: 'stopped',
        body: { note: 'plumbline: cancelled', state: 'failed', end_date: '2026-11-21T19:16:30Z' },
      };
      server.on(`GET ${RUN}`, ended).on(INSTANCES, 'stoppedInstances').on(LOG, 'logMissing');
      assert.equal(await stop(), 'requested');
      server.on(LOG, 'killedLog');
      assert.equal(await stop(), 'stopped');
      assert.deepEqual(patches(), []);
    });

    it('says so when no answer came in time', async () => {
      server.on(`GET ${RUN}`, () => {});
      const place = { api: await server.open(), dagId: DAG, clock: server.clock };
      await assert.rejects(
        cancelDagRun(place, RECORDED_RUN, 'cancelled', { signal: AbortSignal.timeout(200) }),
        failure('ERR_AIRFLOW_UNAVAILABLE', /did not stop the run .*: no answer in time/, /Set the run to failed/),
      );
    });

    it('is asked in time though it has more tasks than can be read by then', async () => {
      server.on(INSTANCES, () => {});
      assert.equal(await stop(), 'requested');
      assert.ok(states().length > 0);
    });

    it('is stopped though its note could not be written', async () => {
      const unnoted =
        (answer: string) =>
        (response: ServerResponse, { body }: AskedAirflow) => {
          const isNote = 'note' in (JSON.parse(body) as object);
          const { status, body: said } = isNote ? { status: 500, body: {} } : server.recorded(answer);
          response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(said));
        };
      server.on(`PATCH ${RUN}`, unnoted('stopping')).on(`PATCH ${RUN}/setNote`, { status: 500 });
      assert.equal(await stop(), 'stopped');
      assert.deepEqual(states(), [{ state: 'failed' }, { state: 'failed' }]);
    });

    it('says so when it could not even be asked', async () => {
      server.on(`PATCH ${RUN}`, { status: 403, body: { detail: 'Forbidden' } });
      server.on(`PATCH ${RUN}/setNote`, { status: 403, body: { detail: 'Forbidden' } });
      await assert.rejects(stop(), failure('ERR_AIRFLOW_REFUSED', /Forbidden/));
    });
  });
}

describe('the last words of a process', () => {
  const asked =
    "[2026-11-21T19:16:40Z] ERROR - Server indicated the task shouldn't be running anymore. Terminating process";
  const killed = '[2026-11-21T19:16:45Z] ERROR - Task killed!';
  const begun = '[t] {standard_task_runner.py:72} INFO - Started process 100 to run task';
  const gone = (pid: number) =>
    `[t] {process_utils.py:80} INFO - Process psutil.Process(pid=${pid}, status='terminated', exitcode=2) (${pid}) terminated with exit code 2`;

  it('are those of what supervises it, at the end, and not those of the task', () => {
    assert.equal(saysProcessEnded('v2', [asked, killed]), true);
    assert.equal(saysProcessEnded('v2', [asked]), false);
    assert.equal(saysProcessEnded('v2', [killed]), false);
    assert.equal(saysProcessEnded('v2', [asked, '[t] INFO - Task killed!']), false);
    assert.equal(saysProcessEnded('v2', [asked, killed, '[t] INFO - still here']), false);
    assert.equal(saysProcessEnded('v2', []), false);
  });

  it('name the process of the task, not one of its children', () => {
    assert.equal(saysProcessEnded('v1', [begun, gone(100)]), true);
    assert.equal(saysProcessEnded('v1', [begun, gone(101)]), false);
    assert.equal(saysProcessEnded('v1', [gone(100)]), false);
    assert.equal(saysProcessEnded('v1', [begun]), false);
  });
});
