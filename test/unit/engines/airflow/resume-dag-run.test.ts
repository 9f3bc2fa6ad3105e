import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { AirflowTaskInstance } from '#engines/airflow/airflow-api.ts';
import { resumeDagRun, toClear } from '#engines/airflow/resume-dag-run.ts';
import { RECORDED_LINES, RECORDED_RUN } from '../../../support/airflow/recorded-answers.ts';
import { ScriptedAirflow } from '../../../support/airflow/scripted-airflow.ts';
import { failure } from '../../../support/plumbline-failure.ts';

const SIGNAL = new AbortController().signal;
const DAG = 'answers_mapped';
const RUN = `/dags/${DAG}/dagRuns/${RECORDED_RUN}`;
const CLEAR = `POST /dags/${DAG}/clearTaskInstances`;

const instance = (taskId: string, state: string | undefined, mapIndex = -1): AirflowTaskInstance => ({
  taskId,
  mapIndex,
  state,
  label: undefined,
  tryNumber: 1,
  startedAt: 1,
  endedAt: 2,
});
const chain = (...ids: readonly string[]) =>
  ids.map((taskId, index) => ({ taskId, downstream: ids.slice(index + 1, index + 2), isMapped: false }));

for (const line of RECORDED_LINES) {
  describe(`A run goes on where it failed, Airflow ${line}`, () => {
    let server: ScriptedAirflow;
    beforeEach(async () => {
      server = await ScriptedAirflow.start(line);
      server
        .on(`GET ${RUN}`, { like: 'run', body: { note: 'run 17\nplumbline: cancelled' } })
        .on(`GET ${RUN}/taskInstances`, 'instances1', 'instances2')
        .on(`GET /dags/${DAG}/tasks`, 'tasks')
        .on(`PATCH ${RUN}`, 'noted')
        .on(`PATCH ${RUN}/setNote`, 'noted')
        .on(CLEAR, 'cleared');
    });
    afterEach(() => server.close());
    const resume = async () => resumeDagRun({ api: await server.open(), dagId: DAG }, RECORDED_RUN, '2.1', SIGNAL);

    it('with the failed tasks cleared, and a note that it is not stopped any more', async () => {
      assert.equal((await resume()).runId, RECORDED_RUN);
      const [note, clear] = server.asked.filter(({ method }) => method !== 'GET');
      assert.deepEqual(JSON.parse(note?.body ?? ''), { note: 'run 17\nplumbline: resumed 2.1' });
      assert.deepEqual(JSON.parse(clear?.body ?? ''), {
        dry_run: false,
        dag_run_id: RECORDED_RUN,
        task_ids: ['part'],
        only_failed: true,
        reset_dag_runs: true,
      });
    });

    it('not when it is gone, or another one’s, or has nothing that failed', async () => {
      server.on(`GET ${RUN}`, 'runMissing');
      await assert.rejects(resume(), failure('ERR_RUN_LOST', /has no run/));
      server.on(`GET ${RUN}`, { like: 'run', body: { conf: {} } });
      await assert.rejects(resume(), failure('ERR_RUN_EXISTS', /was not taken over/));
      server
        .on(`GET ${RUN}`, 'run')
        .on(`GET ${RUN}/taskInstances`, { status: 200, body: { task_instances: [], total_entries: 0 } });
      await assert.rejects(resume(), failure('ERR_RUN_FAILED', /no failed task/));
      assert.ok(server.asked.every(({ method }) => method === 'GET'));
    });

    it('knows that it was stopped until everything that the stop has skipped is cleared', async () => {
      const { task_instances } = server.recorded('instances1').body as { task_instances: Record<string, unknown>[] };
      const of = (task_id: string, state: string) => ({ ...task_instances[0], task_id, map_index: -1, state });
      const body = { task_instances: [of('part', 'failed'), of('left_out', 'skipped')], total_entries: 2 };
      server.on(`GET ${RUN}/taskInstances`, { status: 200, body }).on(CLEAR, { status: 503 });
      await assert.rejects(resume(), failure('ERR_AIRFLOW_UNAVAILABLE', /did not clear tasks/));
      assert.ok(!server.paths.some((path) => path.startsWith('PATCH')));
      server.on(CLEAR, 'cleared').asked.length = 0;
      await resume();
      const wishes = server.asked
        .filter(({ method }) => method !== 'GET')
        .map((asked) => JSON.parse(asked.body) as Record<string, unknown>);
      assert.deepEqual(
        wishes.map(({ task_ids, reset_dag_runs, note }) => note ?? [task_ids, reset_dag_runs]),
        [[['left_out'], false], 'run 17\nplumbline: resumed 2.1', [['part'], true]],
      );
    });

    it('goes on also when Airflow has cleared what failed with what lies behind it, as a setup', async () => {
      const { task_instances } = server.recorded('instances1').body as { task_instances: Record<string, unknown>[] };
      const of = (task_id: string, state: string) => ({ ...task_instances[0], task_id, map_index: -1, state });
      const body = { task_instances: [of('part', 'failed'), of('left_out', 'skipped')], total_entries: 2 };
      const none = { status: 200, body: { task_instances: [], total_entries: 0 } };
      server.on(`GET ${RUN}/taskInstances`, { status: 200, body }).on(CLEAR, 'cleared', none, 'cleared');
      await resume();
      const cleared = server.asked
        .filter(({ method }) => method === 'POST')
        .map((asked) => JSON.parse(asked.body) as Record<string, unknown>);
      assert.deepEqual(
        cleared.map(({ task_ids, only_failed, reset_dag_runs }) => [task_ids, only_failed, reset_dag_runs]),
        [
          [['left_out'], false, false],
          [['part'], true, true],
          [['left_out'], false, true],
        ],
      );
    });

    it('is followed when the answer is lost and it goes on', async () => {
      server.on(CLEAR, { status: 503 }).on(`GET ${RUN}`, 'run', { like: 'run', body: { state: 'queued' } });
      assert.equal((await resume()).state, 'queued');
    });

    it('is not cleared twice when the answer is lost', async () => {
      server.on(CLEAR, { status: 503 });
      await assert.rejects(resume(), failure('ERR_AIRFLOW_UNAVAILABLE', /did not clear tasks/));
      assert.equal(server.asked.filter(({ method }) => method === 'POST').length, 1);
    });
  });
}

describe('What is cleared', () => {
  it('is what failed and everything behind it', () => {
    const instances = [
      instance('a', 'success'),
      instance('b', 'failed'),
      instance('c', 'upstream_failed'),
      instance('d', 'success'),
    ];
    assert.deepEqual(toClear(instances, chain('a', 'b', 'c', 'd'), false), { failed: ['b', 'c'], behind: ['d'] });
  });

  it('is of a stopped run also what that skipped, and of another one not what a branch left out', () => {
    const instances = [instance('a', 'failed'), instance('x', 'skipped'), instance('y', 'removed')];
    assert.deepEqual(toClear(instances, [...chain('a'), ...chain('x')], true), { failed: ['a'], behind: ['x'] });
    assert.deepEqual(toClear(instances, [...chain('a'), ...chain('x')], false), { failed: ['a'], behind: [] });
    assert.deepEqual(toClear([instance('x', 'skipped')], chain('x'), true), { failed: [], behind: ['x'] });
  });

  it('is never what succeeded before the failure, in any graph', () => {
    const edges = fc.array(fc.tuple(fc.nat(9), fc.nat(9)), { maxLength: 30 });
    const states = fc.array(fc.constantFrom('success', 'failed', 'upstream_failed', 'skipped'), {
      minLength: 10,
      maxLength: 10,
    });
    fc.assert(
      fc.property(edges, states, (pairs, words) => {
        const tasks = words.map((_, from) => ({
          taskId: `t${from}`,
          isMapped: false,
          downstream: pairs.filter(([a, b]) => a === from && b > from).map(([, b]) => `t${b}`),
        }));
        const { failed, behind } = toClear(
          words.map((state, index) => instance(`t${index}`, state)),
          tasks,
          false,
        );
        const cleared = new Set([...failed, ...behind]);
        for (const [index, word] of words.entries()) {
          const id = `t${index}`;
          const isBehind = tasks.some(({ taskId, downstream }) => cleared.has(taskId) && downstream.includes(id));
          assert.equal(cleared.has(id), isBehind || word === 'failed' || word === 'upstream_failed', id);
        }
        assert.equal(cleared.size, failed.length + behind.length);
      }),
    );
  });
});
