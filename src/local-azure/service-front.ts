import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock } from '#core/clock.ts';
import type { FaultDeclaration } from './declaration.ts';
import type { Incoming, RecordedExchange, Reply, Service } from './exchange.ts';
import type { Faults } from './faults.ts';

/** Sees whole exchanges, bodies and tokens included; for checks against specifications, never for logs. */
export type ExchangeObserver = (request: Incoming, reply: Reply) => void;

export interface ServiceFrontOptions {
  readonly services: ReadonlyMap<string, Service>;
  readonly certificate: { readonly cert: string; readonly key: string };
  readonly faults: Faults;
  readonly clock: Clock;
  /** Larger request bodies end the connection with 413. */
  readonly maxBodyBytes: number;
  readonly record: (exchange: RecordedExchange) => void;
  readonly observe?: ExchangeObserver | undefined;
}

export interface ServiceFront {
  readonly port: number;
  close(): Promise<void>;
}

/** One TLS server on loopback for all services; the host name that TLS asked for and the Host header must agree. */
export async function startServiceFront(options: ServiceFrontOptions): Promise<ServiceFront> {
  const stop = new AbortController();
  const server = createServer({ ...options.certificate, minVersion: 'TLSv1.2' }, (request, response) => {
    answer(request, response, options, stop.signal).catch((error: unknown) => fail(response, error));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      stop.abort();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: ServiceFrontOptions,
  stop: AbortSignal,
): Promise<void> {
  const at = options.clock.now();
  const host = (request.headers.host ?? '').toLowerCase().replace(/:443$/, '');
  const path = request.url ?? '/';
  const method = request.method ?? 'GET';
  const record = (status: number, fault = false) => options.record({ host, method, path, status, at, fault });
  const body = await readBody(request, options.maxBodyBytes);
  if (body === undefined) return send(response, { status: 413, headers: { connection: 'close' } }, record);
  const service = options.services.get(host);
  if (service === undefined || (request.socket as TLSSocket).servername !== host)
    return send(response, { status: 421 }, record);
  const url = asUrl(host, path);
  if (url === undefined) return send(response, { status: 400, headers: { connection: 'close' } }, record);
  const incoming: Incoming = { host, method, url, headers: request.headers, body };
  const ending = await suffer(options.faults.hit(incoming), options.clock, stop);
  if (ending?.kind === 'reset') return reset(request, record);
  if (ending !== undefined) return send(response, failure(service, ending, incoming), (status) => record(status, true));
  const reply = await service.handle(incoming);
  options.observe?.(incoming, reply);
  return send(response, reply, record);
}

/** `undefined` when the path is no path or its escapes are broken. A path that begins with two slashes stays a path. */
function asUrl(host: string, path: string): URL | undefined {
  const url = path.startsWith('/') ? URL.parse(`https://${host}${path}`) : null;
  try {
    decodeURIComponent(url?.pathname ?? '');
  } catch {
    return undefined;
  }
  return url ?? undefined;
}

function failure(service: Service, fault: FaultDeclaration, request: Incoming): Reply {
  const reply = service.failure(fault.status ?? 503, request);
  if (fault.retryAfter === undefined) return reply;
  return { ...reply, headers: { ...reply.headers, 'retry-after': String(fault.retryAfter) } };
}

async function suffer(
  faults: readonly FaultDeclaration[],
  clock: Clock,
  stop: AbortSignal,
): Promise<FaultDeclaration | undefined> {
  for (const fault of faults) {
    if (fault.delayMs !== undefined) await clock.sleep(fault.delayMs, stop);
    if (fault.kind !== 'latency') return fault;
  }
  return undefined;
}

function reset(request: IncomingMessage, record: (status: number, fault: boolean) => void): void {
  record(0, true);
  request.socket.destroy();
}

function send(response: ServerResponse, reply: Reply, record: (status: number) => void): void {
  const isText = typeof reply.body === 'string' || reply.body instanceof Uint8Array || reply.body === undefined;
  const body = isText ? ((reply.body ?? '') as string | Uint8Array) : JSON.stringify(reply.body);
  const type: Record<string, string> = isText ? {} : { 'content-type': 'application/json; charset=utf-8' };
  record(reply.status);
  response
    .writeHead(reply.status, { ...type, 'content-length': String(Buffer.byteLength(body)), ...reply.headers })
    .end(body);
}

/** A fault of ours must not look like one of the vendor's: 599 with the reason. */
function fail(response: ServerResponse, error: unknown): void {
  if (response.headersSent || response.destroyed) return;
  response
    .writeHead(599, { 'content-type': 'text/plain' })
    .end(`local Azure broke: ${error instanceof Error ? error.stack : String(error)}`);
}

async function readBody(request: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request) {
    size += (part as Buffer).length;
    if (size > limit) return undefined;
    parts.push(part as Buffer);
  }
  return Buffer.concat(parts);
}
