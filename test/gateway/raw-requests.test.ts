import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { gatewayWorld, type World } from '../unit/gateway/app/gateway-world.ts';

const AUTH = 'Authorization: Bearer good-alice';
const POST = `POST /v1/runs HTTP/1.1\r\nHost: g\r\n${AUTH}\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\n`;
const BODY = '{"role":"etl","module":"m","task":"T"}';

/** Raw requests that two parsers could read in two ways, or that are none, and the statuses that may answer. */
const CASES: readonly (readonly [string, string, readonly number[]])[] = [
  [
    'Content-Length and Transfer-Encoding',
    `${POST}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    [400],
  ],
  [
    'Transfer-Encoding twice',
    `${POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n`,
    [400],
  ],
  ['an unknown Transfer-Encoding', `${POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, [400]],
  ['Transfer-Encoding behind a tab', `${POST}Transfer-Encoding:\tchunked, x\r\n\r\n0\r\n\r\n`, [400]],
  ['Content-Length twice, different', `${POST}Content-Length: 38\r\nContent-Length: 4\r\n\r\n${BODY}`, [400]],
  ['Content-Length twice, the same', `${POST}Content-Length: 38\r\nContent-Length: 38\r\n\r\n${BODY}`, [400]],
  ['Content-Length that is no number', `${POST}Content-Length: 3x\r\n\r\n{}`, [400]],
  ['a negative Content-Length', `${POST}Content-Length: -1\r\n\r\n`, [400]],
  ['a plus in Content-Length', `${POST}Content-Length: +38\r\n\r\n${BODY}`, [400]],
  ['a bad chunk size', `${POST}Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n`, [400]],
  ['a space before the colon', `GET /v1/runs HTTP/1.1\r\nHost: g\r\nAuthorization : Bearer good-a\r\n\r\n`, [400]],
  ['a NUL in a header', `GET /v1/runs HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer good\0a\r\n\r\n`, [400]],
  ['a bare CR in a header', `GET /v1/runs HTTP/1.1\r\nHost: g\r\nX: a\rAuthorization: Bearer good\r\n\r\n`, [400]],
  ['a bare LF instead of CRLF', `GET /v1/runs HTTP/1.1\nHost: g\n${AUTH}\n\n`, [400]],
  ['a header without a colon', `GET /v1/runs HTTP/1.1\r\nHost: g\r\nAuthorization\r\n\r\n`, [400]],
  ['no Host', `GET /v1/runs HTTP/1.1\r\n${AUTH}\r\n\r\n`, [400]],
  ['Host twice', `GET /v1/runs HTTP/1.1\r\nHost: g\r\nHost: h\r\n${AUTH}\r\n\r\n`, [400]],
  ['Authorization twice', `GET /v1/runs HTTP/1.1\r\nHost: g\r\nAuthorization: Bearer bad\r\n${AUTH}\r\n\r\n`, [400]],
  [
    'Authorization twice in other case',
    `GET /v1/runs HTTP/1.1\r\nHost: g\r\n${AUTH}\r\nAUTHORIZATION: Bearer bad\r\n\r\n`,
    [400],
  ],
  [
    'run facts twice',
    `GET /v1/runs HTTP/1.1\r\nHost: g\r\n${AUTH}\r\nPlumbline-Run-Facts: a\r\nPlumbline-Run-Facts: b\r\n\r\n`,
    [400],
  ],
  [
    'run facts with underscores',
    `GET /v1/runs HTTP/1.1\r\nHost: g\r\n${AUTH}\r\nPlumbline_Run_Facts: a\r\n\r\n`,
    [400],
  ],
  ['Idempotency-Key twice', `${POST}Idempotency-Key: other\r\nContent-Length: 38\r\n\r\n${BODY}`, [400]],
  ['a head of 20 KiB', `GET /v1/runs HTTP/1.1\r\nHost: g\r\nX: ${'x'.repeat(20_000)}\r\n${AUTH}\r\n\r\n`, [431]],
  ['2,000 headers', `GET /v1/runs HTTP/1.1\r\nHost: g\r\n${'a: b\r\n'.repeat(4_000)}${AUTH}\r\n\r\n`, [431]],
  ['the absolute form', `GET http://g/v1/runs HTTP/1.1\r\nHost: g\r\n${AUTH}\r\n\r\n`, [400, 404]],
  ['the absolute form of another host', `GET http://evil/v1/about HTTP/1.1\r\nHost: g\r\n\r\n`, [400, 404]],
  ['two slashes', `GET //v1/runs HTTP/1.1\r\nHost: g\r\n${AUTH}\r\n\r\n`, [400, 404]],
  ['two slashes inside', `GET /v1//runs HTTP/1.1\r\nHost: g\r\n${AUTH}\r\n\r\n`, [400, 404]],
  ['dot segments', `GET /v1/about/../runs HTTP/1.1\r\nHost: g\r\n\r\n`, [400, 401, 404]],
  ['encoded dot segments', `GET /v1/about/%2e%2e/runs HTTP/1.1\r\nHost: g\r\n\r\n`, [400, 404]],
  ['an encoded slash', `GET /v1%2fruns HTTP/1.1\r\nHost: g\r\n${AUTH}\r\n\r\n`, [400, 404]],
  ['an encoded letter', `GET /v1/%72uns HTTP/1.1\r\nHost: g\r\n${AUTH}\r\n\r\n`, [400, 404]],
  ['an encoded NUL', `GET /v1/runs%00 HTTP/1.1\r\nHost: g\r\n${AUTH}\r\n\r\n`, [400, 404]],
  ['a broken escape', `GET /v1/runs/%zz HTTP/1.1\r\nHost: g\r\n${AUTH}\r\n\r\n`, [400, 404]],
  ['a fragment', `GET /v1/about#/v1/runs HTTP/1.1\r\nHost: g\r\n\r\n`, [400, 404]],
  ['a fragment in the query', `GET /v1/runs?x#y HTTP/1.1\r\nHost: g\r\n${AUTH}\r\n\r\n`, [400, 404]],
  ['a semicolon', `GET /v1/runs;x=/v1/about HTTP/1.1\r\nHost: g\r\n${AUTH}\r\n\r\n`, [400, 404]],
  ['a backslash', `GET /v1\\runs HTTP/1.1\r\nHost: g\r\n${AUTH}\r\n\r\n`, [400, 404]],
  ['other case', `GET /V1/RUNS HTTP/1.1\r\nHost: g\r\n${AUTH}\r\n\r\n`, [404]],
  ['a slash at the end', `GET /v1/runs/ HTTP/1.1\r\nHost: g\r\n${AUTH}\r\n\r\n`, [400, 404]],
  ['an asterisk', `OPTIONS * HTTP/1.1\r\nHost: g\r\n${AUTH}\r\n\r\n`, [400, 404]],
  ['an unknown method', `STEAL /v1/runs HTTP/1.1\r\nHost: g\r\n${AUTH}\r\n\r\n`, [400]],
  ['a method in small letters', `get /v1/runs HTTP/1.1\r\nHost: g\r\n${AUTH}\r\n\r\n`, [400]],
  ['TRACE', `TRACE /v1/runs HTTP/1.1\r\nHost: g\r\n\r\n`, [400, 401, 404]],
  ['HTTP/0.9', `GET /v1/runs\r\n\r\n`, [400]],
  ['HTTP/2.0', `GET /v1/runs HTTP/2.0\r\nHost: g\r\n${AUTH}\r\n\r\n`, [400, 505]],
  ['a TLS greeting', '\x16\x03\x01\x02\x00\x01\x00', [400]],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400]],
  [
    'an upgrade to h2c',
    `GET /v1/runs HTTP/1.1\r\nHost: g\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n`,
    [400, 401],
  ],
  ['a health check of a user agent', `GET /v1/runs HTTP/1.1\r\nHost: g\r\nUser-Agent: kube-probe/1.30\r\n\r\n`, [401]],
  [
    'an original path in a header',
    `GET /v1/runs HTTP/1.1\r\nHost: g\r\nX-Original-URL: /v1/about\r\nX-Rewrite-URL: /healthz\r\n\r\n`,
    [401],
  ],
  ['another method in a header', `GET /v1/runs HTTP/1.1\r\nHost: g\r\nX-HTTP-Method-Override: POST\r\n\r\n`, [401]],
  [
    'a user in a header',
    `GET /v1/runs HTTP/1.1\r\nHost: g\r\nX-Forwarded-User: alice\r\nX-Remote-User: alice\r\n\r\n`,
    [401],
  ],
  ['a token in the query', `GET /v1/runs?access_token=good-alice HTTP/1.1\r\nHost: g\r\n\r\n`, [401]],
  ['a token in a cookie', `GET /v1/runs HTTP/1.1\r\nHost: g\r\nCookie: token=good-alice\r\n\r\n`, [401]],
];

describe('raw requests', function () {
  this.timeout(30_000);
  let world: World;
  let port: number;
  before(async () => {
    world = await gatewayWorld();
    world.app.server.listen({ host: '127.0.0.1', port: 0 });
    await once(world.app.server, 'listening');
    port = (world.app.server.address() as AddressInfo).port;
  });
  after(() => world.close());

  async function sent(text: string): Promise<string> {
    const socket = connect({ port, host: '127.0.0.1' });
    let answer = '';
    socket.on('data', (part) => (answer += part.toString('latin1'))).on('error', () => undefined);
    socket.end(Buffer.from(text, 'latin1'));
    await once(socket, 'close');
    return answer;
  }

  for (const [what, text, statuses] of CASES) {
    it(`with ${what} reach no handler`, async () => {
      const answer = await sent(text);
      const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1]);
      assert.ok(statuses.includes(status), `${status}: ${answer.slice(0, 300)}`);
      // One request, one answer: nothing of it is taken for a second one.
      assert.equal(answer.match(/HTTP\/1\.1 \d{3} /g)?.length, 1, answer);
      assert.match(answer, /application\/problem\+json/i);
      assert.equal(world.runs.all.size, 0);
    });
  }

  it('that fold a header are refused, or the fold is part of its value', async () => {
    const answer = await sent(`GET /v1/runs HTTP/1.1\r\nHost: g\r\nX: a\r\n ${AUTH}\r\n\r\n`);
    assert.match(answer, /^HTTP\/1\.1 40[01] /);
  });

  it('that come slowly are let go', async () => {
    const socket = connect({ port, host: '127.0.0.1' });
    let answer = '';
    socket.on('data', (part) => (answer += String(part)));
    socket.write('GET /v1/runs HTTP/1.1\r\nHost: g\r\n');
    await once(socket, 'close');
    assert.match(answer, /^HTTP\/1\.1 408 [\s\S]*request-timeout/);
  });
});
