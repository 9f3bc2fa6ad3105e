import assert from 'node:assert/strict';
import { RECORDED_LINES } from '../../../support/airflow/recorded-answers.ts';
import { ScriptedAirflow } from '../../../support/airflow/scripted-airflow.ts';
import { failure } from '../../../support/plumbline-failure.ts';

const NOT_FOUND = { status: 404, body: { detail: 'Not Found' } };
const WAIT = '/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/wait';

describe('openAirflow', () => {
  const open: ScriptedAirflow[] = [];
  const airflow = async (line: (typeof RECORDED_LINES)[number] = '3.3.2') => {
    const started = await ScriptedAirflow.start(line);
    open.push(started);
    return started;
  };
  const versions = (server: ScriptedAirflow, v2: object, v1: object = NOT_FOUND) =>
    server.on('GET //api/v2/version', v2 as never).on('GET //api/v1/version', v1 as never);
  afterEach(async () => {
    await Promise.all(open.splice(0).map((one) => one.close()));
  });

  it('knows Airflow 3 and Airflow 2 by what they say of themselves, and shows nobody credentials for that', async () => {
    for (const line of RECORDED_LINES) {
      const server = await airflow(line);
      const api = await server
        .on('GET //api/v2/version', line === '3.3.2' ? 'version' : 'otherApi')
        .on('GET //api/v1/version', line === '3.3.2' ? 'otherApi' : 'version')
        .openAsItIs();
      assert.deepEqual([api.version, api.api, api.url], [line, server.api, server.url]);
      assert.deepEqual(
        server.asked.map(({ authorization }) => authorization),
        server.asked.map(() => undefined),
      );
      assert.equal(api.features.dagVersions, line === '3.3.2');
    }
  });

  it('takes an address with a path, whatever slashes it ends with', async () => {
    const server = await airflow();
    server
      .on('GET //host/deployment/api/v2/version', 'version')
      .on('GET //host/deployment/api/v2/dags/x/details', 'dag');
    const api = await server.openAsItIs({ path: '/host/deployment//' });
    assert.equal(api.url, `${server.url}/host/deployment`);
    assert.equal((await api.dag('x', new AbortController().signal))?.dagId, 'answers_params');
  });

  it('believes what the server says of its wait more than the version', async () => {
    const cases: readonly [version: string, openapi: object | undefined, wait: boolean][] = [
      ['3.3.2', { paths: { [WAIT]: {} } }, true],
      ['3.3.2', { paths: {} }, false],
      ['3.3.2', undefined, true],
      ['3.1.0', undefined, true],
      ['3.0.6', { paths: { [WAIT]: {} } }, false],
    ];
    for (const [version, openapi, wait] of cases) {
      const server = versions(await airflow(), { status: 200, body: { version } });
      if (openapi !== undefined) server.on('GET //openapi.json', { status: 200, body: openapi });
      assert.equal((await server.openAsItIs()).features.wait, wait, `${version} ${JSON.stringify(openapi)}`);
    }
  });

  it('refuses versions that it does not know', async () => {
    const says = (version: string) => ({ status: 200, body: { version } });
    for (const [v2, v1, version] of [
      [says('4.0.0'), NOT_FOUND, /it is 4\.0\.0/],
      [says('2.11.2'), NOT_FOUND, /it is 2\.11\.2/],
      [NOT_FOUND, says('2.9.3'), /it is 2\.9\.3/],
      [NOT_FOUND, says('1.10.15'), /it is 1\.10\.15/],
    ] as const) {
      const server = versions(await airflow(), v2, v1);
      await assert.rejects(server.openAsItIs(), failure('ERR_AIRFLOW_UNSUPPORTED', version, /2\.10, 2\.11 and 3\.x/));
    }
    for (const version of ['2.10.5+composer', '2.11.0', '2.10.0rc1']) {
      const server = versions(await airflow(), NOT_FOUND, says(version));
      assert.equal((await server.openAsItIs()).version, version);
    }
  });

  it('shows the credentials when something in front asks for a sign-in', async () => {
    for (const status of [302, 401, 403]) {
      const server = await airflow();
      const sent = { status, headers: { location: '/login' } };
      versions(server, (response: import('node:http').ServerResponse, asked: { authorization?: string }) =>
        asked.authorization === 'Bearer v2-0'
          ? response.writeHead(200, { 'content-type': 'application/json' }).end('{"version":"3.1.0"}')
          : response.writeHead(sent.status, sent.headers).end(),
      );
      assert.equal((await server.openAsItIs()).version, '3.1.0', String(status));
    }
  });

  it('is refused, which is not the same as no Airflow, when the sign-in does not end', async () => {
    for (const [status, message] of [
      [302, /sign-in page/],
      [307, /sign-in page/],
      [401, /HTTP 401/],
      [403, /HTTP 403/],
    ] as const) {
      const server = versions(await airflow(), { status, headers: { location: 'https://login.example.com/' } });
      await assert.rejects(server.openAsItIs(), failure('ERR_AIRFLOW_REFUSED', message));
      assert.ok(!server.paths.some((path) => path.includes('/api/v1/')));
    }
  });

  it('says that it is no Airflow when neither API is there, or when something else answers', async () => {
    await assert.rejects(
      versions(await airflow(), NOT_FOUND).openAsItIs(),
      failure('ERR_AIRFLOW_PROTOCOL', /neither '\/api\/v2\/version' nor '\/api\/v1\/version'/),
    );
    for (const body of ['<html>', '[]', 'null', '{"version":3}', '{"version":"three"}', '']) {
      const server = versions(await airflow(), { status: 200, type: 'text/html', body });
      await assert.rejects(server.openAsItIs(), failure('ERR_AIRFLOW_PROTOCOL', /no JSON|no version/), body);
    }
  });

  it('tries again while the server starts, and tells that nobody answers when it does not come', async () => {
    const server = await airflow();
    server.on('GET //api/v2/version', { status: 503 }, { status: 502 }, 'version');
    assert.equal((await server.openAsItIs()).version, '3.3.2');
    await assert.rejects(
      versions(await airflow(), { status: 503, headers: { 'retry-after': '7' } }).openAsItIs(),
      (error: { code: string; family: string; details: { retryAfter?: string } }) =>
        error.code === 'ERR_AIRFLOW_UNAVAILABLE' && error.family === 'transient' && error.details.retryAfter === '7',
    );
    const gone = await airflow();
    await gone.close();
    await assert.rejects(
      gone.openAsItIs(),
      failure('ERR_AIRFLOW_UNAVAILABLE', /did not tell its version: .*ECONNREFUSED/),
    );
  });

  it('wants an address without a query or a user', async () => {
    const server = await airflow();
    for (const path of ['?x=1', '#top']) {
      await assert.rejects(server.openAsItIs({ path }), failure('ERR_INPUT_INVALID', /address of Airflow/));
    }
    assert.equal(server.asked.length, 0);
  });

  it('ends with the reason of the signal', async () => {
    const server = versions(await airflow(), () => {});
    const reason = new Error('cancelled');
    await assert.rejects(server.openAsItIs({ signal: AbortSignal.abort(reason) }), reason);
  });
});
