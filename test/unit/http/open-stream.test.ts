import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { HttpResponse } from '#http/http-response.ts';
import { type HttpStream, openStream, type StreamRequest } from '#http/open-stream.ts';
import { type Loopback, serve } from '../../support/loopback.ts';
import { failure } from '../../support/plumbline-failure.ts';

const TYPE = { 'content-type': 'text/event-stream; charset=utf-8' };

describe('openStream', () => {
  const open: Loopback[] = [];
  const started = async (answer: (response: ServerResponse) => void): Promise<string> => {
    const server = await serve((_, response) => answer(response));
    open.push(server);
    return server.url;
  };
  afterEach(async () => {
    await Promise.all(open.splice(0).map((server) => server.close()));
  });

  const ask = (url: string, more: Partial<StreamRequest> = {}) =>
    openStream(
      { url, contentType: 'text/event-stream', signal: new AbortController().signal, ...more },
      { skipVerification: false },
    );
  async function stream(url: string, more?: Partial<StreamRequest>): Promise<HttpStream> {
    const answer = await ask(url, more);
    assert.ok('chunks' in answer);
    return answer;
  }
  async function read({ chunks }: HttpStream): Promise<string> {
    let text = '';
    for await (const chunk of chunks) text += Buffer.from(chunk).toString();
    return text;
  }

  it('gives each piece when it comes, to the end', async () => {
    let respond: ServerResponse | undefined;
    const url = await started((response) => {
      respond = response;
      response.writeHead(200, TYPE).write('a');
    });
    const pieces: string[] = [];
    for await (const chunk of (await stream(url)).chunks) {
      pieces.push(Buffer.from(chunk).toString());
      if (pieces.length === 1) respond?.write('b');
      else respond?.end();
    }
    assert.deepEqual(pieces, ['a', 'b']);
  });

  it('gives any other answer whole', async () => {
    const wrong: readonly [number, Record<string, string>][] = [
      [404, TYPE],
      [200, { 'content-type': 'text/html' }],
      [302, { ...TYPE, location: 'http://127.0.0.1:9/' }],
      [200, { ...TYPE, 'content-encoding': 'br' }],
    ];
    for (const [status, headers] of wrong.slice(0, 3)) {
      const answer = await ask(await started((response) => response.writeHead(status, headers).end('text')));
      assert.ok(answer instanceof HttpResponse);
      assert.deepEqual([answer.status, answer.text()], [status, 'text']);
    }
    const [status, headers] = wrong[3] ?? [200, {}];
    const squeezed = await started((response) => response.writeHead(status, headers).end('text'));
    await assert.rejects(ask(squeezed), failure('ERR_HTTP_BODY', /cannot be expanded/));
  });

  it('does not read an endless answer that is no stream', async () => {
    const url = await started((response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
        response.once('drain', more);
      };
      response.writeHead(500);
      more();
    });
    await assert.rejects(ask(url), failure('ERR_HTTP_BODY', /larger than/));
  });

  it('gives up a server that does not answer, and one that falls silent', async () => {
    const silent = await started(() => {});
    await assert.rejects(ask(silent, { timeoutMs: 30 }), failure('ERR_HTTP_TIMEOUT', /within 0\.03 s/));
    const stops = await started((response) => void response.writeHead(200, TYPE).write('a'));
    await assert.rejects(read(await stream(stops, { idleMs: 30 })), failure('ERR_HTTP_TIMEOUT', /within 0\.03 s/));
  });

  it('does not take the time of its reader for silence', async () => {
    const url = await started((response) => response.writeHead(200, TYPE).end('ab'));
    const { chunks } = await stream(url, { idleMs: 30 });
    for await (const _ of chunks) await new Promise((resolve) => setTimeout(resolve, 80));
  });

  it('tells a connection that breaks from one that ends', async () => {
    const url = await started((response) => {
      response.writeHead(200, TYPE).write('a', () => response.socket?.destroy());
    });
    await assert.rejects(read(await stream(url)), failure('ERR_HTTP_NETWORK', /GET http:/));
  });

  it('ends with the reason of its signal: before, while it opens, while it reads', async () => {
    const reason = new Error('enough');
    const silent = await started(() => {});
    await assert.rejects(ask(silent, { signal: AbortSignal.abort(reason) }), reason);
    const opening = new AbortController();
    const asked = ask(silent, { signal: opening.signal });
    opening.abort(reason);
    await assert.rejects(asked, reason);
    const reading = new AbortController();
    const goesOn = await started((response) => void response.writeHead(200, TYPE).write('a'));
    const { chunks } = await stream(goesOn, { signal: reading.signal });
    await assert.rejects(async () => {
      for await (const _ of chunks) reading.abort(reason);
    }, reason);
  });

  it('closes the connection when its reader leaves', async () => {
    let closed: Promise<unknown> | undefined;
    const url = await started((response) => {
      closed = once(response, 'close');
      response.writeHead(200, TYPE).write('a');
    });
    for await (const _ of (await stream(url)).chunks) break;
    await closed;
  });
});
