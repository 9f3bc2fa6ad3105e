import { once } from 'node:events';
import { createServer, request as forward, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** What happens to a request in the place of, or on top of, what the real server does. */
export type Fault =
  /** The server never sees it. A body that is no text is sent as JSON. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: unknown;
    }
  /** The connection is reset: before the server got the request, or when it has answered, which the client does not learn. */
  | { readonly kind: 'reset'; readonly when: 'before' | 'after' }
  /** The server's answer comes late, or a piece of its body now and then. */
  | { readonly kind: 'slow'; readonly headersMs?: number; readonly pieceMs?: number; readonly pieceBytes?: number }
  /** The server's answer breaks off after so many bytes of its body. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** The server's stream breaks off after so many lines. */
  | { readonly kind: 'cut-lines'; readonly afterLines: number }
  /** The answer is JSON of at least so many bytes, and never says how many. */
  | { readonly kind: 'huge'; readonly bytes: number }
  /** In the server's answer one text stands for another. */
  | { readonly kind: 'rewrite'; readonly from: RegExp; readonly to: string }
  /** The server gets the request with this instead of its own credential. */
  | { readonly kind: 'credential'; readonly authorization: string };

/** Faults of the requests that it fits: by method, and by the path with its query. */
export interface FaultRule {
  readonly method?: string;
  readonly path: RegExp;
  /** Sleeps until such a request has been seen. */
  readonly after?: { readonly method: string; readonly path: RegExp };
  /** How many that fit are let through first. @default 0 */
  readonly skip?: number;
  /** How many it then hits. @default 1 */
  readonly count?: number;
  readonly fault: Fault;
}

export interface SeenRequest {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** What the client was answered; `undefined` while it is not, or when it never was. */
  status: number | undefined;
  fault: Fault['kind'] | undefined;
}

interface CountedRule extends FaultRule {
  seen: number;
}

/** An HTTP proxy on loopback in front of a real server: passes everything on, but for what a test has it spoil. */
export class FaultProxy {
  readonly url: string;
  /** All requests, in their order. */
  readonly requests: SeenRequest[] = [];
  readonly #server: Server;
  #target: URL;
  readonly #rules: CountedRule[] = [];
  #away = false;

  private constructor(server: Server, target: string) {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new TypeError('the proxy has no port');
    this.url = `http://127.0.0.1:${address.port}`;
    this.#server = server;
    this.#target = new URL(target);
    server.on('request', (request, response) => void this.#serve(request, response));
  }

  static async to(target: string, rules: readonly FaultRule[] = []): Promise<FaultProxy> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const proxy = new FaultProxy(server, target);
    for (const rule of rules) proxy.inject(rule);
    return proxy;
  }

  /** From now on. Of several rules that fit, the one that was injected first hits. */
  inject(rule: FaultRule): void {
    this.#rules.push({ ...rule, seen: 0 });
  }

  /** No more faults, and the server can be reached. */
  mend(): void {
    this.#rules.length = 0;
    this.#away = false;
  }

  /** Every connection is reset, those that are open and those to come, until it is mended. */
  cut(): void {
    this.#away = true;
    this.#server.closeAllConnections();
  }

  /** Another server, from the next request on. */
  lead(target: string): void {
    this.#target = new URL(target);
  }

  /** Requests that fit, answered or not. */
  seen(method: string, path: RegExp): readonly SeenRequest[] {
    return this.requests.filter((one) => one.method === method && path.test(one.path));
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    if (this.#server.listening) await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    response.on('error', () => {});
    const { method = 'GET', url = '/' } = request;
    const body = await wholeBody(request);
    const { authorization } = request.headers;
    const seen: SeenRequest = {
      method,
      path: url,
      authorization,
      body: body.toString('utf8'),
      at: Date.now(),
      status: undefined,
      fault: undefined,
    };
    this.requests.push(seen);
    if (this.#away) return void response.destroy();
    const fault = this.#faultOf(method, url);
    seen.fault = fault?.kind;
    response.on('finish', () => {
      seen.status = response.statusCode;
    });
    await this.#answer(request, body, response, fault);
  }

  #faultOf(method: string, path: string): Fault | undefined {
    for (const rule of this.#rules) {
      if ((rule.method !== undefined && rule.method !== method) || !rule.path.test(path)) continue;
      const { skip = 0, count = 1, after } = rule;
      if (after !== undefined && this.seen(after.method, after.path).length === 0) continue;
      if (rule.seen >= skip + count) continue;
      rule.seen += 1;
      if (rule.seen > skip) return rule.fault;
    }
    return undefined;
  }

  async #answer(request: IncomingMessage, body: Buffer, response: ServerResponse, fault?: Fault): Promise<void> {
    if (fault?.kind === 'answer') return answerWith(response, fault);
    if (fault?.kind === 'huge') return answerHuge(response, fault.bytes);
    if (fault?.kind === 'reset' && fault.when === 'before') return reset(response);
    if (fault?.kind === 'slow') await sleep(fault.headersMs ?? 0);
    const real = await this.#forward(request, body, fault).catch(() => undefined);
    if (real === undefined || response.destroyed) {
      real?.destroy();
      response.destroy();
      return;
    }
    if (fault?.kind === 'reset') {
      await wholeBody(real);
      return reset(response);
    }
    // The client is gone: so is what we ask the server for.
    response.on('close', () => real.destroy());
    response.writeHead(real.statusCode ?? 502, fault?.kind === 'rewrite' ? withoutLength(real) : real.rawHeaders);
    response.flushHeaders();
    await passBody(real, response, fault).catch(() => response.destroy());
  }

  #forward(request: IncomingMessage, body: Buffer, fault?: Fault): Promise<IncomingMessage> {
    const { method, url, headers } = request;
    const other = fault?.kind === 'credential' ? { authorization: fault.authorization } : {};
    return new Promise((done, failed) => {
      const sent = forward(new URL(url ?? '/', this.#target), {
        method,
        headers: { ...headers, ...other, host: this.#target.host },
      });
      sent.on('response', done).on('error', failed).end(body);
    });
  }
}

async function wholeBody(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of message) chunks.push(chunk as Buffer);
  } catch {
    // What is there of it is all there will be.
  }
  return Buffer.concat(chunks);
}

function answerWith(response: ServerResponse, { status, headers = {}, body = '' }: Fault & { kind: 'answer' }): void {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const type = typeof body === 'string' ? 'text/html' : 'application/json';
  response.writeHead(status, { 'content-type': type, ...headers }).end(text);
}

function answerHuge(response: ServerResponse, bytes: number): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  const piece = Buffer.alloc(64 * 1_024, ' ');
  let left = bytes;
  const more = (): void => {
    while (left > 0) {
      left -= piece.length;
      if (!response.write(piece)) return void response.once('drain', more);
    }
    response.end('{}');
  };
  more();
}

/** As a peer that has crashed: no end of the connection, but a reset. */
function reset(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
}

async function passBody(real: IncomingMessage, response: ServerResponse, fault?: Fault): Promise<void> {
  let bytes = 0;
  let lines = 0;
  for await (const chunk of real as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    lines += chunk.toString('latin1').split('\n').length - 1;
    if (fault?.kind === 'cut' && bytes >= fault.afterBytes) {
      response.write(chunk.subarray(0, chunk.length - (bytes - fault.afterBytes)), () => response.destroy());
      return;
    }
    if (fault?.kind === 'slow' && fault.pieceMs !== undefined) await writeSlowly(response, chunk, fault);
    else if (fault?.kind === 'rewrite') response.write(chunk.toString('utf8').replaceAll(fault.from, fault.to));
    else response.write(chunk);
    if (fault?.kind === 'cut-lines' && lines >= fault.afterLines) {
      await sleep(10);
      response.destroy();
      return;
    }
  }
  response.end();
}

/** Its length is no longer that. */
function withoutLength({ headers }: IncomingMessage): IncomingMessage['headers'] {
  const { 'content-length': _length, ...others } = headers;
  return others;
}

async function writeSlowly(response: ServerResponse, chunk: Buffer, fault: Fault & { kind: 'slow' }): Promise<void> {
  const size = fault.pieceBytes ?? 16;
  for (let at = 0; at < chunk.length && !response.destroyed; at += size) {
    response.write(chunk.subarray(at, at + size));
    await sleep(fault.pieceMs ?? 0);
  }
}
