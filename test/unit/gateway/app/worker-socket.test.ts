import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import type { RequestListener } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { entrances } from '#gateway/app/entrances.ts';
import type { Front } from '#gateway/app/front.ts';
import { openWorkerSocket, type WorkerSocket, workerSocketPath } from '#gateway/app/worker-socket.ts';
import { failure } from '../../../support/plumbline-failure.ts';
import { bySocket } from '../../../support/task-token-client.ts';
import { LIMITS, TIMEOUTS } from './gateway-world.ts';

const SERVER = { limits: LIMITS, timeouts: TIMEOUTS };
const taken = (why: RegExp) => failure('ERR_CONFIG_INVALID', why);

describe('the socket of workers', () => {
  let folder: string;
  let path: string;
  let open: WorkerSocket[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'socket-'));
    path = workerSocketPath(folder);
    open = [];
  });
  afterEach(async () => {
    for (const socket of open) {
      socket.cut();
      await socket.close();
    }
    rmSync(folder, { recursive: true });
  });

  const listen = async (listener: RequestListener = (_, response) => response.end('here'), limits = SERVER) => {
    const socket = await openWorkerSocket(path, listener, limits);
    open.push(socket);
    return socket;
  };

  it("is every user's to connect to, and is gone when it is closed", async () => {
    const socket = await listen();
    assert.ok(statSync(path).isSocket());
    assert.equal(statSync(path).mode & 0o777, 0o666);
    assert.equal((await bySocket(path, '/')).text, 'here');
    await socket.close();
    assert.ok(!existsSync(path));
  });

  it('replaces what a dead gateway left', async () => {
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', script]);
    assert.ok(statSync(path).isSocket());
    await listen();
    assert.equal((await bySocket(path, '/')).text, 'here');
  });

  it("takes nobody's place", async () => {
    await listen();
    await assert.rejects(
      openWorkerSocket(path, () => {}, SERVER),
      taken(/another gateway listens there/),
    );
    assert.equal((await bySocket(path, '/')).text, 'here');
  });

  it('replaces nothing else', async () => {
    const others = [
      () => writeFileSync(path, 'x'),
      () => mkdirSync(path),
      () => symlinkSync(join(folder, 'nowhere'), path),
      () => symlinkSync('/dev/null', path),
    ];
    for (const make of others) {
      make();
      await assert.rejects(
        openWorkerSocket(path, () => {}, SERVER),
        taken(/something else has this name/),
      );
      assert.ok(lstatSync(path));
      rmSync(path, { recursive: true });
    }
  });

  it('has a path that the system takes, or is no socket at all', async () => {
    const longest = join('/', 'x'.repeat(107 - 1 - '/gateway.sock'.length));
    assert.equal(Buffer.byteLength(workerSocketPath(longest)), 107);
    assert.throws(() => workerSocketPath(`${longest}x`), taken(/more than 107 bytes/));
    assert.throws(() => workerSocketPath(longest.replace('x', 'ä')), taken(/more than 107 bytes/));
    rmSync(folder, { recursive: true });
    await assert.rejects(
      openWorkerSocket(path, () => {}, SERVER),
      taken(/ENOENT|EACCES/),
    );
    mkdirSync(folder);
    chmodSync(folder, 0o700);
  });

  it('answers what is no request, and lets nobody hold it up', async () => {
    await listen(undefined, { ...SERVER, timeouts: { ...TIMEOUTS, headersMs: 300 } });
    const raw = async (text: string, isOver = true) => {
      const socket = connect(path);
      if (isOver) socket.end(text);
      else socket.write(text);
      let given = '';
      for await (const part of socket) given += String(part);
      return given;
    };
    assert.match(await raw('\0\0\0\r\n\r\n'), /^HTTP\/1.1 400 /);
    assert.match(await raw(`GET / HTTP/1.1\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`), /^HTTP\/1.1 431 /);
    assert.match(await raw('GET / HTTP/1.1\r\nX:', false), /^HTTP\/1.1 408 /);
  });

  it('leads to the exchange and to calls of luigid, and nowhere else', async () => {
    const seen: string[] = [];
    const front: Front = {
      handles: ({ url = '' }) => url.startsWith('/luigid'),
      handle: (request, response, entrance) => {
        seen.push(`front ${entrance} ${request.url}`);
        response.end();
      },
      close: async () => {},
    };
    const ways = entrances((request, response) => {
      seen.push(`api ${ways.isLocal(request)} ${request.url}`);
      response.end();
    }, front);
    await listen(ways.socket);
    for (const good of ['/v1/token', '/luigid/api/ping']) assert.equal((await bySocket(path, good)).status, 200, good);
    for (const bad of [
      '/',
      '/v1/runs',
      '/v1/token/',
      '/v1/token?',
      '/luigid',
      '/luigid/',
      '/luigid/static/x',
      '/luigid/apix',
      '/LUIGID/api/ping',
      '/x/luigid/api/',
      'http://g/v1/token',
      '*',
    ]) {
      const { status, text } = await bySocket(path, bad);
      assert.deepEqual([status, JSON.parse(text).code], [404, 'not-found'], bad);
    }
    assert.deepEqual(seen, ['api true /v1/token', 'front socket /luigid/api/ping']);
    const request = { url: '/luigid/x' } as never;
    ways.listener(request, { end: () => {} } as never);
    ways.listener({ url: '/v1/token' } as never, { end: () => {} } as never);
    assert.deepEqual(seen.slice(2), ['front listener /luigid/x', 'api false /v1/token']);
  });
});
