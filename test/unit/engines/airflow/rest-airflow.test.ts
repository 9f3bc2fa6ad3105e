import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import { RECORDED_LINES, RECORDED_RUN, type RecordedLine } from '../../../support/airflow/recorded-answers.ts';
import { ScriptedAirflow } from '../../../support/airflow/scripted-airflow.ts';
import { failure } from '../../../support/plumbline-failure.ts';

const SIGNAL = new AbortController().signal;
const MAPPED = { dagId: 'answers_mapped', runId: RECORDED_RUN };
const VALUES = { dagId: 'answers_values', runId: RECORDED_RUN };
const MAPPED_PATH = `/dags/answers_mapped/dagRuns/${RECORDED_RUN}`;
const VALUES_PATH = `/dags/answers_values/dagRuns/${RECORDED_RUN}`;

for (const line of RECORDED_LINES) {
  describe(`Airflow ${line} by its REST API`, () => {
    let server: ScriptedAirflow;
    beforeEach(async () => {
      server = await ScriptedAirflow.start(line);
    });
    afterEach(() => server.close());
    const bodyOf = (index: number) => JSON.parse(server.asked[index]?.body ?? '') as Record<string, unknown>;

    it('shows a DAG with its params', async () => {
      const api = await server.on('GET /dags/answers_params/details', 'dag').open();
      const dag = await api.dag('answers_params', SIGNAL);
      assert.deepEqual(
        [dag?.isPaused, dag?.isStale, dag?.hasImportErrors, dag?.maxActiveRuns],
        [false, false, false, 16],
      );
      assert.deepEqual(dag?.params.get('region'), {
        value: null,
        schema: { type: 'string', enum: ['north', 'south'] },
      });
      assert.deepEqual(dag?.params.get('plain'), { value: 'anything', schema: {} });
      assert.equal(dag?.bundleName, line === '3.3.2' ? 'dags-folder' : undefined);
      assert.equal(dag?.bundleVersion, undefined);
    });

    it('has nothing where the server has nothing', async () => {
      const api = await server
        .on('GET /dags/none/details', 'dagMissing')
        .on('GET /dags/answers_mapped/dagRuns/none', 'runMissing')
        .on(`GET ${VALUES_PATH}/taskInstances/push/xcomEntries/none`, 'xcomMissing')
        .on(`GET ${MAPPED_PATH}/taskInstances/part/logs/1`, 'logMissing')
        .open();
      assert.equal(await api.dag('none', SIGNAL), undefined);
      assert.equal(await api.run('answers_mapped', 'none', SIGNAL), undefined);
      assert.equal(await api.xcom(VALUES, { taskId: 'push', mapIndex: -1, key: 'none' }, SIGNAL), undefined);
      assert.equal(await api.log(MAPPED, { taskId: 'part', mapIndex: 9, tryNumber: 1 }, SIGNAL), undefined);
    });

    it('triggers with what its version wants and nothing else', async () => {
      const api = await server
        .on('POST /dags/answers_params/dagRuns', 'triggered', { like: 'triggered', body: { dag_run_id: 'r' } })
        .open();
      const conf = { region: 'north' };
      const run = await api.trigger('answers_params', { runId: RECORDED_RUN, conf }, SIGNAL);
      await api.trigger('answers_params', { runId: 'r', conf, note: 'n', logicalDate: '2026-01-01T00:00:00Z' }, SIGNAL);
      assert.deepEqual([run.runId, run.state, run.note], [RECORDED_RUN, 'queued', 'pipeline run 17']);
      assert.equal(run.logicalDate === undefined, line === '3.3.2');
      assert.deepEqual(bodyOf(0), {
        dag_run_id: RECORDED_RUN,
        conf,
        ...(line === '3.3.2' && { logical_date: null }),
      });
      assert.deepEqual(bodyOf(1), { dag_run_id: 'r', conf, note: 'n', logical_date: '2026-01-01T00:00:00Z' });
    });

    it('says why it did not trigger, without the value that was given', async () => {
      for (const [answer, code, message] of [
        ['idTaken', 'ERR_AIRFLOW_CONFLICT', /did not start the run r of the DAG d/],
        ['dateTaken', 'ERR_AIRFLOW_CONFLICT', /did not start/],
        ['dagUnknown', 'ERR_DAG_NOT_FOUND', /not found/],
        ['paramRefused', 'ERR_DAG_CONF_INVALID', /param region \(failed validating 'enum'\)$/],
        ['fieldRefused', 'ERR_DAG_CONF_INVALID', /logical_date/],
      ] as const) {
        const api = await server.on('POST /dags/d/dagRuns', answer).open();
        await assert.rejects(api.trigger('d', { runId: 'r', conf: {} }, SIGNAL), failure(code, message), answer);
        assert.equal(server.asked.length, 1, `${answer} was sent again`);
      }
      const api = await server.on('POST /dags/d/dagRuns', 'paramRefused').open();
      await assert.rejects(
        api.trigger('d', { runId: 'r', conf: {} }, SIGNAL),
        (error: Error) => !/west/.test(error.message),
      );
    });

    it('never sends a trigger twice by itself', async () => {
      for (const answer of [
        { status: 503 },
        { status: 500 },
        { status: 429 },
        (response: ServerResponse) => void response.destroy(),
      ]) {
        const api = await server.on('POST /dags/d/dagRuns', answer).open();
        await assert.rejects(
          api.trigger('d', { runId: 'r', conf: {} }, SIGNAL),
          failure('ERR_AIRFLOW_UNAVAILABLE', /did not start/),
        );
        assert.equal(server.asked.length, 1);
      }
    });

    it('reads every task instance, though the server gives smaller pages than it was asked for', async () => {
      const api = await server.on(`GET ${MAPPED_PATH}/taskInstances`, 'instances1', 'instances2').open();
      const instances = await api.taskInstances(MAPPED, { signal: SIGNAL, changedSince: Date.UTC(2026, 0, 1) });
      assert.deepEqual(instances.map(({ taskId, mapIndex, state, label }) => [taskId, mapIndex, state, label]).sort(), [
        ['list_parts', -1, 'success', undefined],
        ['part', 0, 'success', 'part a'],
        ['part', 1, 'failed', 'part b'],
        ['part', 2, 'success', 'part c'],
      ]);
      assert.deepEqual(
        server.asked.map(({ query }) => [query.get('limit'), query.get('offset'), query.get('updated_at_gte')]),
        [
          ['100', '0', '2026-01-01T00:00:00.000Z'],
          ['100', '3', '2026-01-01T00:00:00.000Z'],
        ],
      );
    });

    it('reads again what one page repeats and another leaves out', async () => {
      const path = `GET ${MAPPED_PATH}/taskInstances`;
      const { task_instances } = server.recorded('instances1').body as { task_instances: object[] };
      const page = (...instances: readonly (object | undefined)[]) => ({
        status: 200,
        body: { task_instances: instances, total_entries: 3 },
      });
      const [a, b, c] = task_instances;
      const api = await server.on(path, page(a, b), page(b), page(a, b), page(c)).open();
      assert.equal((await api.taskInstances(MAPPED, { signal: SIGNAL })).length, 3);
    });

    it('takes no part of the task instances for all of them', async () => {
      const { task_instances } = server.recorded('instances1').body as { task_instances: object[] };
      const path = `GET ${MAPPED_PATH}/taskInstances`;
      const page = (total_entries: number, ...instances: readonly (object | undefined)[]) => ({
        status: 200,
        body: { task_instances: instances, total_entries },
      });
      const [a, b] = task_instances;
      const api = await server.on(path, page(3, a, b, b)).open();
      const whole = () => api.taskInstances(MAPPED, { signal: SIGNAL });
      await assert.rejects(whole(), failure('ERR_AIRFLOW_PROTOCOL', /task instances .* does not give all of them/));
      assert.equal(server.asked.length, 3);
      server.on(path, page(4, a), page(4));
      await assert.rejects(whole(), failure('ERR_AIRFLOW_PROTOCOL', /all of them/));
      server.on(path, 'runMissing');
      await assert.rejects(whole(), failure('ERR_AIRFLOW_PROTOCOL', /all of them/));
      server.on(path, page(0));
      assert.deepEqual(await whole(), []);
    });

    it('believes no answer about another run', async () => {
      const api = await server
        .on('GET /dags/answers_mapped/dagRuns/other', 'run')
        .on('GET /dags/other/dagRuns/plumbline-0123456789abcdef0123', 'run')
        .on('PATCH /dags/answers_mapped/dagRuns/other', 'run')
        .on('POST /dags/answers_mapped/dagRuns', 'run')
        .open();
      const other = { dagId: 'answers_mapped', runId: 'other' };
      const another = failure('ERR_AIRFLOW_PROTOCOL', /about another run/);
      await assert.rejects(api.run(other.dagId, other.runId, SIGNAL), another);
      await assert.rejects(api.run('other', RECORDED_RUN, SIGNAL), another);
      await assert.rejects(api.setState(other, 'failed', SIGNAL), another);
      await assert.rejects(api.trigger(other.dagId, { runId: 'other', conf: {} }, SIGNAL), another);
    });

    it('asks for many runs at once, and by its name only for one that the list does not have', async () => {
      const api = await server
        .on('POST /dags/~/dagRuns/list', 'runs')
        .on('GET /dags/x/dagRuns/gone', 'runMissing')
        .open();
      const runs = await api.runs([MAPPED, { dagId: 'x', runId: 'gone' }], SIGNAL);
      assert.deepEqual(
        runs.map(({ dagId, runId }) => [dagId, runId]),
        [[MAPPED.dagId, MAPPED.runId]],
      );
      assert.deepEqual([...new Set(server.paths)], ['POST /dags/~/dagRuns/list', 'GET /dags/x/dagRuns/gone']);
      assert.deepEqual(bodyOf(0)['dag_ids'], ['answers_mapped', 'x']);
      server.asked.length = 0;
      assert.equal((await api.runs([MAPPED], SIGNAL)).length, 1);
      assert.equal(server.asked.length, 1);
      // A run that was seen is looked for no further back than it was made.
      const recorded = server.recorded('run').body as Record<string, string>;
      const since =
        line === '3.3.2' ? ['run_after_gte', recorded['run_after']] : ['execution_date_gte', recorded['logical_date']];
      assert.deepEqual(bodyOf(0)[since[0] ?? ''], since[1]);
      assert.deepEqual(await api.runs([], SIGNAL), []);
    });

    it('counts running runs', async () => {
      const api = await server.on('GET /dags/answers_teardown/dagRuns', 'running').open();
      assert.equal(await api.runningRuns('answers_teardown', SIGNAL), 1);
      assert.equal(server.asked[0]?.query.get('state'), 'running');
    });

    it('lists tasks, import errors, asset events and values', async () => {
      const events = line === '3.3.2' ? 'GET /assets/events' : 'GET /datasets/events';
      const api = await server
        .on('GET /dags/answers_mapped/tasks', 'tasks')
        .on('GET /importErrors', 'importErrors')
        .on(events, 'assetEvents')
        .on(`GET ${VALUES_PATH}/taskInstances/push/xcomEntries/nested`, 'xcom')
        .open();
      assert.deepEqual(await api.tasks('answers_mapped', SIGNAL), [
        { taskId: 'list_parts', downstream: ['part'], isMapped: false },
        { taskId: 'part', downstream: [], isMapped: true },
      ]);
      const [broken] = await api.importErrors('answers_broken.py', SIGNAL);
      assert.match(broken?.text ?? '', /No module named 'orders_schema_that_is_not_installed'/);
      assert.deepEqual(await api.importErrors('another.py', SIGNAL), []);
      const [event] = await api.assetEvents(VALUES, SIGNAL);
      assert.deepEqual([event?.uri, event?.taskId, event?.mapIndex], ['file:///srv/sales.csv', 'push', -1]);
      const value = await api.xcom(VALUES, { taskId: 'push', mapIndex: -1, key: 'nested' }, SIGNAL);
      assert.deepEqual(value, { a: [1, 2.5, null, 'é'] });
    });

    it('shows the log of a failed task, with its traceback as Python prints it', async () => {
      const api = await server.on(`GET ${MAPPED_PATH}/taskInstances/part/logs/1`, 'log').open();
      const log = await api.log(MAPPED, { taskId: 'part', mapIndex: 1, tryNumber: 1, from: 'token' }, SIGNAL);
      assert.equal(log?.next, undefined);
      const lines = log?.lines ?? [];
      const end = lines.indexOf('ValueError: part b is empty');
      assert.ok(end > 0, lines.join('\n'));
      assert.ok(lines.slice(0, end).includes('Traceback (most recent call last):'));
      assert.ok(lines.some((text) => /ERROR - Task failed with exception$/.test(text)));
      const { query } = server.asked[0] ?? { query: new URLSearchParams() };
      assert.deepEqual([query.get('map_index'), query.get('token')], ['1', 'token']);
    });

    it('reads the same log where it comes as text or line by line', async () => {
      const api = await server.on(`GET ${MAPPED_PATH}/taskInstances/part/logs/1`, 'logStream').open();
      const log = await api.log(MAPPED, { taskId: 'part', mapIndex: 1, tryNumber: 1 }, SIGNAL);
      assert.ok(log?.lines.includes('ValueError: part b is empty'));
    });

    it('stops a run, notes it, clears it', async () => {
      const path = `/dags/answers_teardown/dagRuns/${RECORDED_RUN}`;
      const run = { dagId: 'answers_teardown', runId: RECORDED_RUN };
      const api = await server
        .on(`PATCH ${path}`, 'stopping')
        .on(`PATCH ${path}/setNote`, 'noted')
        .on('POST /dags/answers_mapped/clearTaskInstances', 'cleared')
        .open();
      await api.setNote(run, 'note', SIGNAL);
      assert.equal((await api.setState(run, 'failed', SIGNAL)).state, 'running');
      assert.equal(await api.clear(MAPPED, { taskIds: ['part'], onlyFailed: true, goesOn: true }, SIGNAL), 1);
      assert.deepEqual(bodyOf(0), { note: 'note' });
      assert.deepEqual(bodyOf(1), { state: 'failed' });
      assert.deepEqual(bodyOf(2), server.recorded('cleared').request);
    });

    it('says how it is, and nothing when it does not answer', async () => {
      const path = line === '3.3.2' ? 'GET /monitor/health' : 'GET /health';
      const api = await server.on(path, 'health', { status: 500 }, { status: 200, body: [] }).open();
      const health = await api.health(SIGNAL);
      assert.equal(health?.scheduler, 'healthy');
      assert.ok((health?.schedulerHeartbeat ?? 0) > Date.UTC(2026, 0, 1));
      assert.equal(await api.health(SIGNAL), undefined);
    });

    it('asks for other credentials once when these are refused', async () => {
      const api = await server.on('GET /dags/d/details', 'wrongPassword', 'dag').open();
      assert.equal((await api.dag('d', SIGNAL))?.dagId, 'answers_params');
      assert.deepEqual(
        server.asked.map(({ authorization }) => authorization),
        [`Bearer ${server.api}-0`, `Bearer ${server.api}-1`],
      );
    });

    it('is refused when the new ones are refused too', async () => {
      for (const answer of ['wrongPassword', 'noCredentials']) {
        const api = await server.on('GET /dags/d/details', answer).open();
        await assert.rejects(
          api.dag('d', SIGNAL),
          failure('ERR_AIRFLOW_REFUSED', /did not show the DAG d/, /password|right/),
        );
        assert.equal(server.asked.length, 2);
      }
    });

    it('names the missing right', async () => {
      const api = await server.on('POST /dags/d/dagRuns', 'noPermission').open();
      await assert.rejects(
        api.trigger('d', { runId: 'r', conf: {} }, SIGNAL),
        failure('ERR_AIRFLOW_REFUSED', /Forbidden/, /right to read and trigger/),
      );
      assert.equal(
        server.refusals,
        line === '3.3.2' ? 0 : 1,
        'Airflow 2 does not tell a missing right from a wrong password',
      );
    });

    it('takes a redirect for a sign-in, and a page for no Airflow', async () => {
      const api = await server.on('GET /dags/d/details', { status: 302, headers: { location: '/login' } }).open();
      await assert.rejects(api.dag('d', SIGNAL), failure('ERR_AIRFLOW_REFUSED', /sign-in page/));
      for (const body of ['<html>', '{"dag_id":', '{}', '[]', '{"dag_id":7}']) {
        server.on('GET /dags/d/details', { status: 200, body });
        await assert.rejects(
          api.dag('d', SIGNAL),
          failure('ERR_AIRFLOW_PROTOCOL', /did not show the DAG d in a way/),
          body,
        );
      }
    });

    it('follows Retry-After and tries reading again, and says when it still does not come', async () => {
      const busy = { status: 429, headers: { 'retry-after': '3' } };
      const api = await server.on('GET /dags/d/details', busy, { status: 502 }, 'dag').open();
      assert.ok(await api.dag('d', SIGNAL));
      assert.ok(server.clock.slept >= 3_000);
      server.on('GET /dags/d/details', { status: 500, type: 'text/html', body: '<html>' });
      await assert.rejects(api.dag('d', SIGNAL), failure('ERR_AIRFLOW_UNAVAILABLE', /HTTP 500/));
      server.on(
        'GET /dags/d/details',
        (response: ServerResponse) =>
          response.writeHead(200, { 'content-length': '99' }).write('{') && response.destroy(),
      );
      await assert.rejects(api.dag('d', SIGNAL), failure('ERR_AIRFLOW_UNAVAILABLE', /did not show the DAG d/));
    });

    it('never lets an id become another path', async () => {
      const api = await server.open();
      for (const id of ['..', '../variables', 'a/b', '?x', '#', '%2e%2e', '~']) {
        server.asked.length = 0;
        await assert.rejects(api.dag(id, SIGNAL));
        assert.match(server.asked[0]?.path ?? '', /^\/api\/v\d\/dags\/[^/]+\/details$/, id);
        assert.equal(server.asked[0]?.query.size, 0, id);
      }
    });
  });
}

describe('the wait of Airflow 3.3.2', () => {
  let server: ScriptedAirflow;
  beforeEach(async () => {
    server = await ScriptedAirflow.start('3.3.2' satisfies RecordedLine);
  });
  afterEach(() => server.close());
  const states = async (answer: Parameters<ScriptedAirflow['on']>[1]) => {
    const api = await server.on(`GET ${VALUES_PATH}/wait`, answer).open();
    const told: string[] = [];
    for await (const state of api.wait(VALUES, 1, SIGNAL)) told.push(state);
    return told;
  };

  it('tells every state, and asks for a stream that nothing holds back', async () => {
    const told = await states('wait');
    assert.deepEqual([told[0], told.at(-1)], ['queued', 'success']);
    assert.equal(server.asked[0]?.query.get('interval'), '1');
    assert.equal(server.asked[0]?.headers['accept-encoding'], 'identity');
  });

  it('ends where the stream is cut in the middle of a line, and says no state that was not told', async () => {
    const cut = (text: string) => (response: ServerResponse) => void response.writeHead(200).end(text);
    assert.deepEqual(await states(cut('{"state": "running"}\n{"state": "succ')), ['running']);
    assert.deepEqual(await states(cut('{"state": "running"}\n{"state": "success"}')), ['running', 'success']);
    assert.deepEqual(await states(cut('{"state": "paused_by_moon"}\n')), ['paused_by_moon']);
    assert.deepEqual(await states(cut('{"detail": "error"}\n{"state": "success"}\n')), []);
    assert.deepEqual(await states(cut('')), []);
  });

  it('is away when the connection breaks, and silent when the run is gone', async () => {
    const breaking = (response: ServerResponse) => {
      response.writeHead(200).write('{"state": "running"}\n', () => response.destroy());
    };
    await assert.rejects(states(breaking), failure('ERR_AIRFLOW_UNAVAILABLE', /did not wait for the run/));
    assert.deepEqual(await states('waitMissing'), []);
    await assert.rejects(states({ status: 503 }), failure('ERR_AIRFLOW_UNAVAILABLE', /503/));
  });

  it('gets what a proxy compresses all the same, when it is whole', async () => {
    const { gzipSync } = await import('node:zlib');
    const told = await states((response) => {
      response
        .writeHead(200, { 'content-encoding': 'gzip' })
        .end(gzipSync('{"state": "running"}\n{"state": "failed"}\n'));
    });
    assert.deepEqual(told, ['running', 'failed']);
  });
});
