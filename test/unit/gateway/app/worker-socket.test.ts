import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import type { RequestListener } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { entrances } from '#gateway/app/entrances.ts';
import type { Front } from '#gateway/app/front.ts';
import { openWorkerSocket, type WorkerSocket } from '#gateway/app/worker-socket.ts';
import { failure } from '../../../support/plumbline-failure.ts';
import { bySocket } from '../../../support/task-token-client.ts';
import { LIMITS, TIMEOUTS } from './gateway-world.ts';

const SERVER = { limits: LIMITS, timeouts: TIMEOUTS };
const taken = (why: RegExp) => failure('ERR_CONFIG_INVALID', why);

describe('a socket of workers', () => {
  let folder: string;
  let path: string;
  let open: WorkerSocket[];
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'socket-'));
    mkdirSync(join(folder, 'new'), { mode: 0o700 });
    path = join(folder, '61001.sock');
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
    const socket = await openWorkerSocket({ path }, listener, limits);
    open.push(socket);
    return socket;
  };

  it("is its user's alone, and is gone when it is closed", async () => {
    const socket = await listen();
    assert.ok(statSync(path).isSocket());
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.deepEqual(readdirSync(join(folder, 'new')), []);
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
      openWorkerSocket({ path }, () => {}, SERVER),
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
        openWorkerSocket({ path }, () => {}, SERVER),
        taken(/something else has this name/),
      );
      assert.ok(lstatSync(path));
      rmSync(path, { recursive: true });
    }
  });

  it('is no socket at all where there is no folder for it', async () => {
    rmSync(folder, { recursive: true });
    await assert.rejects(
      openWorkerSocket({ path }, () => {}, SERVER),
      taken(/ENOENT|EACCES/),
    );
    mkdirSync(folder);
  });

  it('has a bound of connections; what comes then is cut, and what was there goes on', async () => {
    await listen(undefined, { ...SERVER, limits: { ...LIMITS, connections: 3 } });
    const held = [1, 2, 3].map(() => connect(path));
    await Promise.all(held.map((socket) => once(socket, 'connect')));
    const answer = once(held[0] as Socket, 'data');
    const over = connect(path).resume();
    const [hadError] = await once(over, 'close');
    assert.equal(hadError, false);
    held[0]?.write('GET / HTTP/1.1\r\nHost: g\r\n\r\n');
    assert.match(String((await answer)[0]), /^HTTP\/1.1 200 /);
    held[1]?.destroy();
    await once(held[1] as Socket, 'close');
    let isIn = false;
    while (!isIn)
      isIn = await bySocket(path, '/').then(
        () => true,
        () => false,
      );
    for (const socket of held) socket.destroy();
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
        seen.push(`front ${entrance === 'listener' ? entrance : entrance.uid} ${request.url}`);
        response.end();
      },
      close: async () => {},
    };
    const ways = entrances((request, response) => {
      seen.push(`api ${ways.userOf(request)} ${request.url}`);
      response.end();
    }, front);
    await listen(ways.socketOf(61_001));
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
    assert.deepEqual(seen, ['api 61001 /v1/token', 'front 61001 /luigid/api/ping']);
    const request = { url: '/luigid/x' } as never;
    ways.listener(request, { end: () => {} } as never);
    ways.listener({ url: '/v1/token' } as never, { end: () => {} } as never);
    assert.deepEqual(seen.slice(2), ['front listener /luigid/x', 'api undefined /v1/token']);
  });
});
