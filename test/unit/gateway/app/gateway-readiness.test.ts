import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GatewayReadiness, type ReadinessSources } from '#gateway/app/gateway-readiness.ts';
import { probeLuigid } from '#gateway/app/luigid-probe.ts';
import { createHttp } from '#http/http.ts';
import { NO_NETWORK } from '../../../support/hand-clock.ts';

const SOURCES: ReadinessSources = {
  audit: { problem: () => undefined },
  store: () => undefined,
  policyRejected: () => false,
  authenticator: { health: () => [] },
  isolation: 'user',
  now: () => 0,
};

describe('readiness', () => {
  const checked = async (name: string, sources: Partial<ReadinessSources>) => {
    const readiness = new GatewayReadiness({ ...SOURCES, ...sources });
    readiness.serving = true;
    const { ready, checks } = await readiness.report();
    return [ready, ...checks.filter((check) => check.name === name).map(({ state, detail }) => [state, detail])];
  };

  it('warns when no token can be issued: runs without task identities go on', async () => {
    assert.deepEqual(await checked('issuer', {}), [true]);
    assert.deepEqual(await checked('issuer', { issuer: { problem: () => undefined } }), [true, ['ok', undefined]]);
    const away = { problem: () => 'the vault does not answer' };
    const told = ['warning', 'no token can be issued: the vault does not answer'];
    assert.deepEqual(await checked('issuer', { issuer: away }), [true, told]);
  });

  it('warns when an Airflow has no keys to get: everything else goes on', async () => {
    assert.deepEqual(await checked('airflow', {}), [true]);
    assert.deepEqual(await checked('airflow', { airflow: () => undefined }), [true, ['ok', undefined]]);
    const told = 'prod: the file of its own public keys has no keys';
    assert.deepEqual(await checked('airflow', { airflow: () => told }), [true, ['warning', told]]);
  });

  it('warns when luigid does not work, and asks it not for each who asks', async () => {
    let asked = 0;
    let now = 0;
    const luigid = async () => {
      asked += 1;
      return `answer ${asked}`;
    };
    const readiness = new GatewayReadiness({ ...SOURCES, luigid, now: () => now });
    const detail = async () => (await readiness.report()).checks.find(({ name }) => name === 'luigid')?.detail;
    assert.deepEqual([await detail(), await detail()], ['answer 1', 'answer 1']);
    now = 5_000;
    assert.deepEqual([await detail(), await detail()], ['answer 2', 'answer 2']);
  });
});

describe('whether luigid works', () => {
  const folder = mkdtempSync(join(tmpdir(), 'probe-'));
  const path = join(folder, 'luigid.sock');
  let server: Server | undefined;
  afterEach(async () => {
    server?.closeAllConnections();
    await new Promise((closed) => (server ? server.close(closed) : closed(undefined)));
    server = undefined;
  });
  after(() => rmSync(folder, { recursive: true }));

  const serve = async (listener: RequestListener, where: { path: string } | { port: number; host: string }) => {
    server = createServer(listener);
    await new Promise<void>((listening) => server?.listen(where, listening));
    return server.address();
  };

  it('is asked by its socket', async () => {
    const socket = { kind: 'socket', path } as const;
    assert.equal(await probeLuigid(socket, NO_NETWORK), 'it does not answer');
    let status = 200;
    await serve(
      (request, response) => response.writeHead(request.url === '/api/is_pause_enabled' ? status : 404).end('{}'),
      {
        path,
      },
    );
    assert.equal(await probeLuigid(socket, NO_NETWORK), undefined);
    status = 500;
    assert.equal(await probeLuigid(socket, NO_NETWORK), 'it answers with 500');
  });

  it('is no, when it takes the connection and says nothing', async () => {
    await serve(() => {}, { path });
    assert.equal(await probeLuigid({ kind: 'socket', path }, NO_NETWORK), 'it does not answer');
  }).timeout(10_000);

  it('is asked by its URL', async () => {
    const http = createHttp({ skipVerification: false });
    const address = await serve((_, response) => response.end('{}'), { port: 0, host: '127.0.0.1' });
    const port = typeof address === 'object' ? address?.port : undefined;
    assert.equal(await probeLuigid({ kind: 'url', url: `http://127.0.0.1:${port}` }, http), undefined);
  });
});
