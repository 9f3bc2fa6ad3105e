import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inTurns } from '#gateway/app/in-turns.ts';
import { bySocket } from '../../../support/task-token-client.ts';

describe('requests in turns', () => {
  let folder: string;
  let path: string;
  let server: Server;
  let begun: { readonly url: string; readonly response: ServerResponse }[];
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'turns-'));
    path = join(folder, 's');
    begun = [];
    server = createServer(inTurns(({ url = '' }, response) => begun.push({ url, response }), { atOnce: 2, inTurn: 2 }));
    server.listen({ path });
    await once(server, 'listening');
  });
  afterEach(async () => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });

  const urls = () => begun.map(({ url }) => url);
  const untilBegun = async (count: number) => {
    while (begun.length < count) await new Promise((done) => setImmediate(done));
  };
  /** Everything that was sent before has been read. */
  const settled = async () => {
    const last = await new Promise<Socket>((resolve) => {
      server.once('connection', () => resolve(probe));
      const probe = connect(path);
    });
    last.destroy();
    for (let i = 0; i < 20; i += 1) await new Promise((done) => setImmediate(done));
  };

  it('are worked on a few at once, in the order in which they came', async () => {
    const answers = [];
    for (const name of ['/1', '/2', '/3', '/4']) {
      answers.push(bySocket(path, name));
      await settled();
    }
    assert.deepEqual(urls(), ['/1', '/2']);
    begun[1]?.response.end();
    await untilBegun(3);
    assert.deepEqual(urls(), ['/1', '/2', '/3']);
    begun[0]?.response.end();
    await untilBegun(4);
    for (const { response } of begun) response.end();
    for (const answer of answers) assert.equal((await answer).status, 200);
  });

  it('of somebody who has gone, waiting or not, take no turn', async () => {
    const raw = () => {
      const socket = connect(path);
      socket.write(`GET /gone HTTP/1.1\r\nHost: g\r\n\r\n`);
      return socket;
    };
    const going = [raw(), raw()];
    await untilBegun(2);
    const waiting = [raw(), raw()];
    await settled();
    for (const socket of waiting) socket.destroy();
    await settled();
    const last = bySocket(path, '/last');
    await settled();
    assert.deepEqual(urls(), ['/gone', '/gone']);
    for (const socket of going) socket.destroy();
    await untilBegun(3);
    assert.deepEqual(urls(), ['/gone', '/gone', '/last']);
    begun[2]?.response.end('x');
    assert.equal((await last).text, 'x');
  });

  it('that nobody waits for the answers of cut their connection, and use up nothing', async () => {
    const socket = connect(path);
    socket.on('error', () => {});
    const closed = once(socket.resume(), 'close');
    socket.write('GET /flood HTTP/1.1\r\nHost: g\r\n\r\n'.repeat(1_000));
    await closed;
    assert.ok(begun.length <= 2);
    const before = begun.length;
    const answer = bySocket(path, '/other');
    await untilBegun(before + 1);
    begun.at(-1)?.response.end('x');
    assert.equal((await answer).text, 'x');
  });

  it('of one turn are few, also when they are answered at once', async () => {
    const order: string[] = [];
    const turns = inTurns(
      ({ url = '' }, response) => {
        order.push(url);
        response.end();
      },
      { atOnce: 100, inTurn: 2 },
    );
    server.removeAllListeners('request');
    server.on('request', turns);
    const answers = Array.from({ length: 20 }, () => bySocket(path, '/'));
    const seen: number[] = [];
    const look = () => {
      seen.push(order.length);
      if (order.length < 20) setImmediate(look);
    };
    look();
    await Promise.all(answers);
    const most = Math.max(...seen.map((count, at) => count - (seen[at - 1] ?? 0)));
    assert.ok(most <= 4, `${most} between two looks of others`);
  });

  it('follow each other on one connection', async () => {
    const socket = connect(path);
    for (let i = 1; i <= 20; i += 1) {
      socket.write('GET / HTTP/1.1\r\nHost: g\r\n\r\n');
      await untilBegun(i);
      const answered = once(socket, 'data');
      begun.at(-1)?.response.end('x');
      await answered;
    }
    socket.destroy();
  });
});
