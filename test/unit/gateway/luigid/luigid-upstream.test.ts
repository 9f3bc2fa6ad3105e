import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Socket } from 'node:net';
import type { Problem } from '#gateway/app/problem.ts';
import type { LuigidCall } from '#gateway/luigid/luigid-call.ts';
import { LUIGID_METHODS } from '#gateway/luigid/luigid-methods.ts';
import { type LuigidUpstream, luigidUpstream } from '#gateway/luigid/luigid-upstream.ts';

const JSON_HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=UTF-8\r\n';

function ok(body: string, head = JSON_HEAD): string {
  return `${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

function ping(): LuigidCall {
  const method = LUIGID_METHODS.get('ping');
  assert.ok(method);
  return { method, arguments: { worker: 'w' } };
}

describe('what stands for a luigid and is none', function () {
  this.timeout(20_000);
  let answer: string | ((socket: Socket) => void);
  let asked: number;
  let upstream: LuigidUpstream;
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', () => {
      asked += 1;
      if (typeof answer === 'string') socket.write(answer);
      else answer(socket);
    });
  });
  before(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  beforeEach(() => {
    asked = 0;
    const { port } = server.address() as AddressInfo;
    upstream = luigidUpstream({ kind: 'url', url: `http://127.0.0.1:${port}` }, 300);
  });
  afterEach(() => upstream.close());
  after(() => server.close());

  for (const [what, given, reason] of [
    ['another protocol', 'SSH-2.0-OpenSSH\r\n', 'connection'],
    [
      'an error of luigid',
      ok('<html>500</html>', 'HTTP/1.1 500 Internal Server Error\r\nContent-Type: text/html\r\n'),
      'status',
    ],
    ['a redirect', 'HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n', 'status'],
    ['a page', ok('<html></html>', 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n'), 'answer'],
    ['no type', ok('{"response": 1}', 'HTTP/1.1 200 OK\r\n'), 'answer'],
    ['half of an answer', ok('{"response": {"a'), 'answer'],
    ['nothing', ok(''), 'answer'],
    ['a list', ok('[]'), 'answer'],
    ['no response', ok('{"error": 1}'), 'answer'],
    ['more than a response', ok('{"response": 1, "more": 2}'), 'answer'],
    ['an inherited response', ok('{"__proto__": {"response": 1}}'), 'answer'],
    ['an answer without an end', `${JSON_HEAD}Content-Length: 100\r\n\r\n{"response"`, 'timeout'],
    ['a head of 100 kB', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`, 'connection'],
    ['an answer that is announced too large', `${JSON_HEAD}Content-Length: 99999999999\r\n\r\n{`, 'too-large'],
  ] as const)
    it(`answers with ${what}: a bad gateway, asked once`, async () => {
      answer = given;
      await assert.rejects(upstream.call(ping()), (problem: Problem) => {
        assert.equal(problem.code, 'luigid-unavailable');
        assert.equal(problem.facts.reason, reason, problem.message);
        return true;
      });
      assert.equal(asked, 1);
    });

  it('says nothing: a bad gateway in time', async () => {
    answer = () => undefined;
    await assert.rejects(upstream.call(ping()), (problem: Problem) => problem.facts.reason === 'timeout');
    answer = (socket) => socket.destroy();
    await assert.rejects(upstream.call(ping()), (problem: Problem) => problem.facts.reason === 'connection');
  });

  it('is not there at all', async () => {
    const gone = luigidUpstream({ kind: 'socket', path: '/nowhere/luigid.sock' });
    await assert.rejects(gone.call(ping()), (problem: Problem) => problem.facts.reason === 'connection');
    await gone.close();
  });

  it('answers well again: so does the gateway', async () => {
    answer = (socket) => socket.destroy();
    await assert.rejects(upstream.call(ping()));
    answer = ok('{"response": {"rpc_messages": []}}');
    assert.deepEqual(await upstream.call(ping()), { rpc_messages: [] });
  });
});
