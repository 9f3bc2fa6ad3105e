import assert from 'node:assert/strict';
import type { AirflowRunRequest } from '#engines/airflow/airflow-request.ts';
import { checkDag, type DagCheck } from '#engines/airflow/check-dag.ts';
import { RECORDED_LINES } from '../../../support/airflow/recorded-answers.ts';
import { ScriptedAirflow } from '../../../support/airflow/scripted-airflow.ts';
import { failure } from '../../../support/plumbline-failure.ts';

const SIGNAL = new AbortController().signal;
const DAG = 'answers_params';
const DETAILS = `GET /dags/${DAG}/details`;
const PATCH = `PATCH /dags/${DAG}`;
const CONF = { region: 'north' };

for (const line of RECORDED_LINES) {
  describe(`Before a run is started, Airflow ${line}`, () => {
    let server: ScriptedAirflow;
    const told: string[] = [];
    beforeEach(async () => {
      told.length = 0;
      server = await ScriptedAirflow.start(line);
      server
        .on(DETAILS, 'dag')
        .on(`GET /dags/${DAG}/dagRuns`, { status: 200, body: { dag_runs: [], total_entries: 0 } })
        .on('GET /importErrors', 'importErrors')
        .on(PATCH, 'dag');
    });
    afterEach(() => server.close());
    const check = async (more: Partial<AirflowRunRequest> = {}, dagId = DAG): Promise<DagCheck> => {
      const log = { debug: () => {}, info: (text: string) => void told.push(text) };
      const place = { api: await server.open(), dagId, clock: server.clock, log };
      return checkDag(place, { conf: CONF, ...more }, SIGNAL);
    };
    const patches = () => server.asked.filter(({ method }) => method === 'PATCH');

    it('a DAG that can run it is all right', async () => {
      const { dag, warning } = await check();
      assert.deepEqual([dag.dagId, warning], [DAG, undefined]);
      assert.equal(patches().length, 0);
    });

    it('a DAG that is not there is named, with how long it can take until it is', async () => {
      server.on('GET /dags/none/details', 'dagMissing');
      const wanted = failure('ERR_DAG_NOT_FOUND', /The DAG none was not found/, /300 s by default.*answers_broken\.py/);
      await assert.rejects(check({}, 'none'), wanted);
    });

    it('an import error that explains it is told instead', async () => {
      server.on('GET /dags/answers_broken/details', 'dagMissing');
      const wanted = failure('ERR_DAG_IMPORT', /answers_broken\.py cannot be imported: ModuleNotFoundError/);
      await assert.rejects(check({}, 'answers_broken'), wanted);
      // A name that only begins the same is another one.
      server.on('GET /dags/answers/details', 'dagMissing');
      await assert.rejects(check({}, 'answers'), failure('ERR_DAG_NOT_FOUND', /The DAG answers was/));
    });

    it('a DAG whose file cannot be imported any more does not run as it was before', async () => {
      server.on(DETAILS, {
        like: 'dag',
        body: { has_import_errors: true, fileloc: '/opt/airflow/dags/answers_broken.py' },
      });
      await assert.rejects(
        check(),
        failure('ERR_DAG_IMPORT', /has been changed, and the file .*answers_broken\.py cannot be imported: Module/),
      );
    });

    it('a DAG that no file has any more does not run', async () => {
      const gone = line === '3.3.2' ? { is_stale: true } : { is_active: false };
      server.on(DETAILS, { like: 'dag', body: gone });
      await assert.rejects(check(), failure('ERR_DAG_STALE', /no file has it any more/));
    });

    it('a DAG whose file was broken and then removed is gone, not broken', async () => {
      server.on(DETAILS, {
        like: 'dag',
        body: { has_import_errors: true, is_stale: true, is_active: false, fileloc: '/dags/gone.py' },
      });
      await assert.rejects(check(), failure('ERR_DAG_STALE', /no file has it any more/));
    });

    it('a paused DAG is refused', async () => {
      server.on(DETAILS, { like: 'dag', body: { is_paused: true } });
      await assert.rejects(check(), failure('ERR_DAG_PAUSED', /is paused/, /unpause to true/));
      assert.equal(patches().length, 0);
    });

    it('a paused DAG is unpaused when that is wanted, and this is said', async () => {
      server.on(DETAILS, { like: 'dag', body: { is_paused: true } });
      await check({ unpause: true });
      assert.deepEqual(
        patches().map(({ body }) => JSON.parse(body)),
        [{ is_paused: false }],
      );
      assert.match(told.join('\n'), /is unpaused now and stays so/);
    });

    it('nothing is unpaused when anything else is wrong', async () => {
      for (const [body, more] of [
        [{ has_import_errors: true }, {}],
        [{ is_stale: true, is_active: false }, {}],
        [{}, { conf: {} }],
        [{}, { dagVersion: { version: 'x', withinMs: 1_000 } }],
      ] as const) {
        server.on(DETAILS, { like: 'dag', body: { is_paused: true, ...body } });
        await assert.rejects(check({ unpause: true, ...more }));
        assert.equal(patches().length, 0, JSON.stringify([body, more]));
      }
    });

    it('a DAG with as many runs as it may have is all right, and warned of', async () => {
      server.on(DETAILS, { like: 'dag', body: { max_active_runs: 2 } });
      const running = (count: number) => ({ status: 200, body: { dag_runs: [], total_entries: count } });
      server.on(`GET /dags/${DAG}/dagRuns`, running(1), running(2), running(3));
      assert.equal((await check()).warning, undefined);
      assert.match((await check()).warning ?? '', /has 2 running runs and may have 2 at a time \(max_active_runs\)/);
      assert.match((await check()).warning ?? '', /has 3 running runs/);
    });

    it('a version cannot be waited for where there are none', async () => {
      const dagVersion = { version: 'abc', withinMs: 60_000 };
      const why =
        line === '3.3.2' ? /its bundle 'dags-folder' has no versions/ : /Airflow 2\.11\.2 has no versions of DAGs/;
      await assert.rejects(check({ dagVersion }), failure('ERR_DAG_VERSION_UNSUPPORTED', why));
      assert.equal(server.clock.slept, 0);
    });

    it('what is wrong is told also to somebody who may not read import errors', async () => {
      const forbidden = { status: 403, body: { detail: 'Forbidden' } };
      server.on('GET /dags/none/details', 'dagMissing').on('GET /importErrors', forbidden);
      await assert.rejects(check({}, 'none'), failure('ERR_DAG_NOT_FOUND', /was not found/));
      server.on(DETAILS, { like: 'dag', body: { has_import_errors: true } });
      await assert.rejects(check(), failure('ERR_DAG_IMPORT', /cannot be imported/));
    });

    it('what Airflow quotes can be no command of a pipeline', async () => {
      const text = '##vso[task.complete result=Succeeded]\n\n';
      server.on('GET /dags/none/details', 'dagMissing').on('GET /importErrors', {
        status: 200,
        body: { total_entries: 1, import_errors: [{ filename: 'none.py', stack_trace: text }] },
      });
      await assert.rejects(
        check({}, 'none'),
        (error: Error) => !/##vso\[/.test(error.message) && /vs o/.test(error.message),
      );
    });
  });
}

describe('The version of a DAG, Airflow 3.3.2', () => {
  let server: ScriptedAirflow;
  beforeEach(async () => {
    server = await ScriptedAirflow.start('3.3.2');
    server.on(`GET /dags/${DAG}/dagRuns`, 'running').on('GET /importErrors', 'importErrors');
  });
  afterEach(() => server.close());
  const of = (bundle_version: string) => ({ like: 'dag', body: { bundle_version, bundle_name: 'repo' } });
  const check = async () => {
    const place = { api: await server.open(), dagId: DAG, clock: server.clock };
    return checkDag(place, { conf: CONF, dagVersion: { version: 'b'.repeat(40), withinMs: 60_000 } }, SIGNAL);
  };

  it('is waited for until it is parsed, also when the DAG itself is new', async () => {
    server.on(DETAILS, 'dagMissing', of('a'.repeat(40)), of('b'.repeat(40)));
    assert.equal((await check()).dag.bundleVersion, 'b'.repeat(40));
    assert.ok(server.clock.slept > 0 && server.clock.slept < 60_000);
  });

  it('is not waited for when it is there', async () => {
    server.on(DETAILS, of('b'.repeat(40)));
    await check();
    assert.equal(server.clock.slept, 0);
  });

  it('is missing when its time is over, and the one that is there is named', async () => {
    server.on(DETAILS, of('a'.repeat(40)));
    await assert.rejects(
      check(),
      failure('ERR_DAG_VERSION_MISSING', /within 60 s: a{40} is there/, /refresh_interval/),
    );
    assert.equal(server.clock.slept, 60_000);
    server.on(DETAILS, 'dagMissing');
    await assert.rejects(check(), failure('ERR_DAG_VERSION_MISSING', /the DAG is not there/));
  });
});
