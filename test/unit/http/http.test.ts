import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { rootCertificates } from 'node:tls';
import { gzipSync } from 'node:zlib';
import type { Clock } from '#core/clock.ts';
import type { NetworkSettings } from '#core/network.ts';
import { Secret } from '#core/secret.ts';
import { createHttp } from '#http/http.ts';
import { trustOf } from '#http/trust.ts';
import { type CertificateAuthority, createCertificateAuthority } from '#local-azure/certificate-authority.ts';
import { type Loopback, serve, type TunnelProxy, tunnelProxy } from '../../support/loopback.ts';
import { failure } from '../../support/plumbline-failure.ts';

const HOST = 'service.example.com';
const direct: NetworkSettings = { skipVerification: false };

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

function waits(): Clock & { readonly slept: number[] } {
  const slept: number[] = [];
  return { slept, now: () => Date.now(), sleep: async (ms) => void slept.push(ms) };
}

describe('http on loopback', () => {
  const open: Loopback[] = [];
  const started = async (listener: Listener) => {
    const server = await serve(listener);
    open.push(server);
    return server;
  };
  afterEach(async () => {
    await Promise.all(open.splice(0).map((server) => server.close()));
  });

  it('gives status, headers and JSON body of the answer, whatever its status', async () => {
    const server = await started((_, response) => response.writeHead(404, { 'x-a': 'b' }).end('{"a":1}'));
    const response = await createHttp(direct).request({ method: 'GET', url: server.url });
    assert.deepEqual(
      [response.status, response.ok, response.header('X-A'), response.json()],
      [404, false, 'b', { a: 1 }],
    );
    assert.throws(() => response.requireOk(), failure('ERR_HTTP_STATUS', /^GET http:.* failed: HTTP 404$/));
  });

  it('sends body, length and headers', async () => {
    const seen: unknown[] = [];
    const server = await started(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      seen.push(request.method, request.headers['content-length'], request.headers['x-b'], body);
      response.end();
    });
    await createHttp(direct).request({ method: 'POST', url: server.url, headers: { 'X-B': 'c' }, body: 'é' });
    assert.deepEqual(seen, ['POST', '2', 'c', 'é']);
  });

  it('follows no redirect', async () => {
    const server = await started((_, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end());
    assert.equal((await createHttp(direct).request({ method: 'GET', url: server.url })).status, 302);
  });

  it('tries a GET again after 429 and 503, with the wait the server asks for', async () => {
    const answers = [429, 503, 200];
    const server = await started((_, response) =>
      response.writeHead(answers.shift() ?? 500, { 'retry-after': '3' }).end(),
    );
    const clock = waits();
    assert.equal((await createHttp(direct, { clock }).request({ method: 'GET', url: server.url })).status, 200);
    assert.deepEqual(clock.slept, [3_000, 3_000]);
  });

  it('sends a POST once, unless the caller says that it may be sent again', async () => {
    let count = 0;
    const server = await started((_, response) => {
      count++;
      response.writeHead(503).end();
    });
    const http = createHttp(direct, { clock: waits() });
    await http.request({ method: 'POST', url: server.url });
    assert.equal(count, 1);
    await http.request({ method: 'POST', url: server.url, idempotent: true, maxAttempts: 2 });
    assert.equal(count, 3);
  });

  it('reports a refused connection after its attempts, without the query', async () => {
    const server = await serve(() => {});
    await server.close();
    const clock = waits();
    const sending = createHttp(direct, { clock }).request({ method: 'GET', url: `${server.url}/p?sig=canary` });
    await assert.rejects(
      sending,
      failure('ERR_HTTP_NETWORK', /^GET http:\/\/localhost:\d+\/p failed: /, /can be reached/),
    );
    assert.equal(clock.slept.length, 3);
  });

  it('bounds the time of the body too', async () => {
    const server = await started((_, response) => void response.writeHead(200).write('a'));
    const sending = createHttp(direct).request({ method: 'POST', url: server.url, timeoutMs: 60 });
    await assert.rejects(sending, failure('ERR_HTTP_TIMEOUT', /no complete answer within 0\.06 s/));
  });

  it('bounds the size of the body, compressed or not', async () => {
    const server = await started((request, response) => {
      if (request.url === '/gzip')
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('a'.repeat(5_000)));
      else response.end('a'.repeat(5_000));
    });
    const http = createHttp(direct);
    for (const path of ['/plain', '/gzip']) {
      const request = { method: 'GET', url: server.url + path } as const;
      assert.equal((await http.request(request)).text().length, 5_000);
      await assert.rejects(http.request({ ...request, maxBodyBytes: 4_000 }), failure('ERR_HTTP_BODY', /4000 bytes/));
    }
  });

  it('reports an answer that breaks off as a network failure', async () => {
    const server = await started((_, response) => {
      response.writeHead(200, { 'content-length': '10' }).write('abc');
      setImmediate(() => response.destroy());
    });
    await assert.rejects(
      createHttp(direct).request({ method: 'POST', url: server.url }),
      failure('ERR_HTTP_NETWORK', /POST .* failed: aborted/),
    );
  });

  it('never quotes a body that is no JSON', async () => {
    const server = await started((_, response) =>
      response.writeHead(203, { 'content-type': 'text/html' }).end('canary'),
    );
    const response = await createHttp(direct).request({ method: 'GET', url: server.url });
    assert.throws(() => response.json(), failure('ERR_HTTP_BODY', /HTTP 203 .*\(text\/html, 6 bytes\)$/));
  });

  it("ends with the caller's own reason when aborted, in flight and between attempts", async () => {
    const reason = new Error('cancelled');
    const hanging = await started(() => {});
    const controller = new AbortController();
    const sending = createHttp(direct).request({ method: 'GET', url: hanging.url, signal: controller.signal });
    setTimeout(() => controller.abort(reason), 30);
    await assert.rejects(sending, reason);

    const busy = await started((_, response) => response.writeHead(503, { 'retry-after': '100' }).end());
    const second = new AbortController();
    const retrying = createHttp(direct).request({ method: 'GET', url: busy.url, signal: second.signal });
    setTimeout(() => second.abort(reason), 60);
    await assert.rejects(retrying, reason);
  });

  it('refuses user info in an address as a mistake of the caller', async () => {
    await assert.rejects(createHttp(direct).request({ method: 'GET', url: 'http://u:p@localhost/' }), TypeError);
  });
});

describe('http behind a proxy with a private CA', () => {
  let ca: CertificateAuthority;
  let service: Loopback;
  const proxies: TunnelProxy[] = [];

  const proxied = async (routes: Record<string, number>, authorization?: string) => {
    const proxy = await tunnelProxy(routes, authorization);
    proxies.push(proxy);
    return proxy;
  };

  before(async () => {
    ca = await createCertificateAuthority();
    service = await serve((_, response) => response.end('reached'), await ca.issue([HOST]));
  });
  after(async () => {
    await Promise.all([...proxies.map((proxy) => proxy.close()), service.close()]);
    await ca.remove();
  });

  it('works with only the settings of the agent: proxy, password and CA together', async () => {
    const authorization = `Basic ${Buffer.from('user:p@ss').toString('base64')}`;
    const proxy = await proxied({ [`${HOST}:443`]: service.port }, authorization);
    const network: NetworkSettings = {
      skipVerification: false,
      caFile: ca.caFile,
      proxy: { url: proxy.url, username: 'user', password: new Secret('p@ss'), bypass: [] },
    };
    const response = await createHttp(network).request({ method: 'GET', url: `https://${HOST}/` });
    assert.equal(response.text(), 'reached');
    assert.deepEqual(proxy.asked, [`${HOST}:443`]);
  });

  it("says that the proxy wants a password, and does not take its refusal for the service's answer", async () => {
    const proxy = await proxied({}, 'Basic x');
    const network = { skipVerification: false, proxy: { url: proxy.url, bypass: [] } };
    await assert.rejects(
      createHttp(network).request({ method: 'GET', url: `https://${HOST}/a` }),
      failure('ERR_HTTP_NETWORK', /the proxy answered 407 to CONNECT/, /--proxyusername/),
    );
    const closed = await proxied({});
    await assert.rejects(
      createHttp({ skipVerification: false, proxy: { url: closed.url, bypass: [] } }).request({
        method: 'GET',
        url: `https://${HOST}/a`,
      }),
      failure('ERR_HTTP_NETWORK', /the proxy answered 403/, /bypass list/),
    );
    assert.equal(closed.asked.length, 1, 'a refusal of the proxy is not tried again');
  });

  it('refuses a certificate of an unknown authority, also when the agent skips verification', async () => {
    const proxy = await proxied({ [`${HOST}:443`]: service.port });
    const network = { skipVerification: true, proxy: { url: proxy.url, bypass: [] } };
    await assert.rejects(
      createHttp(network).request({ method: 'GET', url: `https://${HOST}/` }),
      failure('ERR_HTTP_NETWORK', /certificate/, /--sslcacert.*does not follow/),
    );
  });

  it('keeps the usual authorities beside the CA file', async () => {
    const { ca: trusted } = await trustOf({ skipVerification: false, caFile: ca.caFile });
    assert.ok(Array.isArray(trusted));
    assert.ok(trusted.includes(await readFile(ca.caFile, 'utf8')));
    assert.ok(rootCertificates.every((root) => trusted.some((one) => String(one).trim() === root.trim())));
  });

  it('says which file of the agent it cannot read', async () => {
    const network = { skipVerification: false, caFile: '/nowhere/ca.pem' };
    await assert.rejects(
      createHttp(network).request({ method: 'GET', url: `https://${HOST}/` }),
      failure('ERR_HTTP_NETWORK', /CA file '\/nowhere\/ca.pem'/, /--sslcacert/),
    );
  });
});
