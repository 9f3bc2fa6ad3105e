import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { HTTPS_PORT, type RecordedExchange } from './exchange.ts';

export interface ConnectProxyOptions {
  /** Port on loopback that serves every host of `hosts`. */
  readonly target: number;
  readonly hosts: ReadonlySet<string>;
  readonly credentials?: { readonly username: string; readonly password: string } | undefined;
  /** Told of everything that the proxy refuses. */
  readonly record: (exchange: RecordedExchange) => void;
  readonly now: () => number;
}

export interface ConnectProxy {
  readonly url: string;
  close(): Promise<void>;
}

/** A proxy on loopback that opens tunnels to port 443 of the served hosts and refuses everything else with 403. */
export async function startConnectProxy(options: ConnectProxyOptions): Promise<ConnectProxy> {
  const sockets = new Set<Duplex>();
  const server = createServer((request, response) => refusePlain(request, response, options));
  server.on('connect', (request: IncomingMessage, client: Duplex, head: Buffer) => {
    track(client, sockets);
    const refused = refusal(request, options);
    if (refused === undefined) return tunnel(client, head, options.target, sockets);
    const [host = '', port] = (request.url ?? '').split(':');
    options.record({ host, method: 'CONNECT', path: `:${port}`, status: refused, at: options.now(), fault: false });
    client.end(refusalText(refused));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function refusal(request: IncomingMessage, { hosts, credentials }: ConnectProxyOptions): 403 | 407 | undefined {
  if (!authorized(request, credentials)) return 407;
  const [host = '', port] = (request.url ?? '').toLowerCase().split(':');
  return hosts.has(host) && port === String(HTTPS_PORT) ? undefined : 403;
}

function authorized(request: IncomingMessage, credentials: ConnectProxyOptions['credentials']): boolean {
  if (credentials === undefined) return true;
  const expected = Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64');
  return request.headers['proxy-authorization'] === `Basic ${expected}`;
}

function refusalText(status: 403 | 407): string {
  const [reason, header] =
    status === 403
      ? ['Forbidden', '']
      : ['Proxy Authentication Required', 'Proxy-Authenticate: Basic realm="plumbline"\r\n'];
  return `HTTP/1.1 ${status} ${reason}\r\n${header}Content-Length: 0\r\nConnection: close\r\n\r\n`;
}

function refusePlain(request: IncomingMessage, response: ServerResponse, { record, now }: ConnectProxyOptions): void {
  const { host, pathname, search } = new URL(request.url ?? '/', `http://${request.headers.host ?? 'unknown'}`);
  record({ host, method: request.method ?? '', path: pathname + search, status: 403, at: now(), fault: false });
  response.writeHead(403, { 'content-type': 'text/plain' }).end('This proxy only opens tunnels.');
}

function tunnel(client: Duplex, head: Buffer, port: number, sockets: Set<Duplex>): void {
  const upstream: Socket = connect(port, '127.0.0.1', () => {
    client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    if (head.length > 0) upstream.write(head);
    upstream.pipe(client);
    client.pipe(upstream);
  });
  track(upstream, sockets);
  // A reset of either half must reach the other one as a reset too, not as a clean end.
  upstream.on('close', () => client.destroy());
  client.on('close', () => upstream.destroy());
}

function track(socket: Duplex, sockets: Set<Duplex>): void {
  sockets.add(socket);
  socket.on('error', () => socket.destroy());
  socket.on('close', () => sockets.delete(socket));
}
