import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import type { AirflowRunRequest } from '#engines/airflow/airflow-request.ts';
import { findDagRun } from '#engines/airflow/find-dag-run.ts';
import { startDagRun } from '#engines/airflow/start-dag-run.ts';
import { RECORDED_LINES, RECORDED_RUN } from '../../../support/airflow/recorded-answers.ts';
import { ScriptedAirflow, type ScriptedAnswer } from '../../../support/airflow/scripted-airflow.ts';
import { failure } from '../../../support/plumbline-failure.ts';

const SIGNAL = new AbortController().signal;
const DAG = 'answers_params';
const RUN = `/dags/${DAG}/dagRuns/${RECORDED_RUN}`;
const TRIGGER = `POST /dags/${DAG}/dagRuns`;
const REQUEST: AirflowRunRequest = {
  id: RECORDED_RUN,
  attempt: '1.1',
  conf: { region: 'north' },
  note: 'pipeline run 17',
  origin: { pipeline: 'nightly', key: 'not this one' },
};
const broken: ScriptedAnswer = (response: ServerResponse) => void response.destroy();

for (const line of RECORDED_LINES) {
  describe(`A run is started once, Airflow ${line}`, () => {
    let server: ScriptedAirflow;
    beforeEach(async () => {
      server = await ScriptedAirflow.start(line);
      server.on(`GET /dags/${DAG}/details`, 'dag').on(`GET /dags/${DAG}/dagRuns`, 'running');
    });
    afterEach(() => server.close());
    const start = async (request = REQUEST) =>
      startDagRun({ api: await server.open(), dagId: DAG, clock: server.clock }, request, SIGNAL);
    const triggers = () => server.asked.filter(({ method }) => method === 'POST');

    it('with a marker by which it is known again', async () => {
      server.on(`GET ${RUN}`, 'runMissing').on(TRIGGER, 'triggered');
      const openLineage = { parentRunId: 'x' };
      const { run, how } = await start({ ...REQUEST, openLineage });
      assert.deepEqual([run.runId, how], [RECORDED_RUN, 'started']);
      const { conf } = JSON.parse(triggers()[0]?.body ?? '') as { conf: unknown };
      assert.deepEqual(conf, {
        region: 'north',
        plumbline: { pipeline: 'nightly', key: RECORDED_RUN, attempt: '1.1' },
        openlineage: openLineage,
      });
    });

    it('or found when it is there already, without a look at the DAG', async () => {
      server.on(`GET ${RUN}`, 'triggered').on(`GET /dags/${DAG}/details`, 'dagMissing');
      assert.equal((await start()).how, 'found');
      assert.equal(triggers().length, 0);
    });

    it('when the answer is lost and the run was made: it is read back', async () => {
      for (const lost of [
        broken,
        { status: 504 },
        { status: 500 },
        { status: 429 },
        { status: 200, body: '{"dag_run' },
        'idTaken',
      ]) {
        server.on(`GET ${RUN}`, 'runMissing', 'triggered').on(TRIGGER, lost);
        assert.equal((await start()).run.runId, RECORDED_RUN, JSON.stringify(lost));
        assert.equal(triggers().length, 1, JSON.stringify(lost));
        server.asked.length = 0;
      }
    });

    it('when the answer is lost and no run was made: it is sent again', async () => {
      server.on(`GET ${RUN}`, 'runMissing').on(TRIGGER, broken, { status: 502 }, 'triggered');
      assert.equal((await start()).how, 'started');
      assert.equal(triggers().length, 3);
      assert.equal(new Set(triggers().map(({ body }) => body)).size, 1);
    });

    it('and no earlier than the server asks for, as far as that is sane', async () => {
      const busy = (after: string) => ({ status: 429, headers: { 'retry-after': after } });
      server.on(`GET ${RUN}`, 'runMissing').on(TRIGGER, busy('30'), busy('31536000'), 'triggered');
      assert.equal((await start()).how, 'started');
      assert.ok(server.clock.slept >= 90_000 && server.clock.slept < 100_000, `${server.clock.slept}`);
    });

    it('and not for ever', async () => {
      server.on(`GET ${RUN}`, 'runMissing').on(TRIGGER, { status: 503 });
      await assert.rejects(start(), failure('ERR_AIRFLOW_UNAVAILABLE', /did not start the run .*503/));
      assert.equal(triggers().length, 6);
    });

    it('says that nobody knows when it cannot be read back either', async () => {
      server.on(`GET ${RUN}`, 'runMissing', { status: 503 }).on(TRIGGER, broken);
      await assert.rejects(
        start(),
        failure('ERR_AIRFLOW_UNAVAILABLE', /Nobody can say whether .* has started the run/, /takes the run over/),
      );
      assert.equal(triggers().length, 1);
    });

    it('says so also when reading it back is refused', async () => {
      for (const refused of [
        { status: 403, body: { detail: 'Forbidden' } },
        { status: 200, body: '<html>' },
      ]) {
        server.on(`GET ${RUN}`, 'runMissing', refused).on(TRIGGER, broken);
        await assert.rejects(start(), failure('ERR_AIRFLOW_UNAVAILABLE', /Nobody can say whether/));
      }
    });

    it('tells a logical date that is taken from an id that is taken', async () => {
      server.on(`GET ${RUN}`, 'runMissing').on(TRIGGER, 'dateTaken');
      const logicalDate = '2020-01-01T00:00:00Z';
      await assert.rejects(
        start({ ...REQUEST, logicalDate }),
        failure('ERR_AIRFLOW_CONFLICT', /logical date 2020-01-01T00:00:00Z under another id/),
      );
      assert.equal(triggers().length, 1);
    });

    it('takes over no run that does not say that it is ours', async () => {
      const marker = { key: RECORDED_RUN, attempt: '1.1' };
      for (const conf of [
        {},
        null,
        { plumbline: null },
        { plumbline: [] },
        { plumbline: { ...marker, key: 'x' } },
        { plumbline: { key: marker.key } },
        { plumbline: 'x' },
      ]) {
        server.on(`GET ${RUN}`, { like: 'triggered', body: { conf } });
        await assert.rejects(start(), failure('ERR_RUN_EXISTS', /was not taken over/), JSON.stringify(conf));
        server.on(`GET ${RUN}`, 'runMissing', { like: 'triggered', body: { conf } }).on(TRIGGER, 'idTaken');
        await assert.rejects(start(), failure('ERR_RUN_EXISTS', /was not taken over/), JSON.stringify(conf));
      }
    });

    it('does not trigger what Airflow refuses a second time', async () => {
      server.on(`GET ${RUN}`, 'runMissing').on(TRIGGER, 'paramRefused');
      await assert.rejects(start(), failure('ERR_DAG_CONF_INVALID', /region/));
      assert.equal(triggers().length, 1);
    });

    it('cuts a note that Airflow would refuse', async () => {
      server.on(`GET ${RUN}`, 'runMissing').on(TRIGGER, 'triggered');
      await start({ ...REQUEST, note: '🙂'.repeat(2_000) });
      const { note } = JSON.parse(triggers()[0]?.body ?? '') as { note: string };
      assert.ok([...note].length <= 1_000);
      assert.match(note, /^(?:🙂)+…$/u);
    });

    it('is found with its attempt, and with what its note says of a stop', async () => {
      const api = await server.open();
      const find = async (note: string | null) => {
        server.on(`GET ${RUN}`, { like: 'triggered', body: { note, state: 'success' } });
        const found = await findDagRun({ api, dagId: DAG }, RECORDED_RUN, SIGNAL);
        return [found?.attempt, found?.stop];
      };
      assert.deepEqual(await find(null), ['1.1', undefined]);
      assert.deepEqual(await find('run 17\nplumbline: cancelled'), ['1.1', 'cancelled']);
      assert.deepEqual(await find('plumbline: deadline\n'), ['1.1', 'deadline']);
      assert.deepEqual(await find('plumbline: cancelled\nby me'), ['1.1', undefined]);
      assert.deepEqual(await find('plumbline: resumed 2.1'), ['2.1', undefined]);
      server.on(`GET ${RUN}`, 'runMissing');
      assert.equal(await findDagRun({ api, dagId: DAG }, RECORDED_RUN, SIGNAL), undefined);
    });
  });
}

describe('A version of a DAG that is another one by the time of the start', () => {
  it('is told: Airflow runs the newest', async () => {
    const server = await ScriptedAirflow.start('3.3.2');
    try {
      const [wanted, newer] = ['a'.repeat(40), 'b'.repeat(40)];
      const versioned = (like: string, bundle_version: string) => ({ like, body: { bundle_version } });
      server
        .on(`GET /dags/${DAG}/details`, versioned('dag', wanted))
        .on(`GET /dags/${DAG}/dagRuns`, 'running')
        .on(`GET ${RUN}`, 'runMissing')
        .on(TRIGGER, versioned('triggered', wanted), versioned('triggered', newer));
      const place = { api: await server.open(), dagId: DAG, clock: server.clock };
      const request = { ...REQUEST, dagVersion: { version: wanted, withinMs: 1_000 } };
      assert.equal((await startDagRun(place, request, SIGNAL)).warning, undefined);
      assert.match(
        (await startDagRun(place, request, SIGNAL)).warning ?? '',
        new RegExp(`version ${newer}, which took`),
      );
    } finally {
      await server.close();
    }
  });
});
