import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import * as net from 'node:net';

type Listener = (request: http.IncomingMessage, response: http.ServerResponse) => void;

export interface Loopback {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/** A server on a free port of this machine; over TLS when it gets a certificate. */
export async function serve(listener: Listener, tls?: https.ServerOptions): Promise<Loopback> {
  const server = tls ? https.createServer(tls, listener) : http.createServer(listener);
  const port = await listen(server);
  return { url: `${tls ? 'https' : 'http'}://localhost:${port}`, port, close: () => close(server) };
}

export interface TunnelProxy extends Loopback {
  /** `host:port` of each CONNECT, refused ones included. */
  readonly asked: string[];
}

/** A CONNECT proxy that leads the named hosts to ports of this machine, refuses others, and may want a password. */
export async function tunnelProxy(routes: Record<string, number>, authorization?: string): Promise<TunnelProxy> {
  const asked: string[] = [];
  const server = http.createServer((_, response) => response.writeHead(405).end());
  // A tunnel is no HTTP connection any more: closing the server would wait for it.
  const tunnels = new Set<net.Socket>();
  server.on('connect', (request, client: net.Socket) => {
    asked.push(request.url ?? '');
    tunnels.add(client);
    client.on('error', () => client.destroy());
    const port = routes[request.url ?? ''];
    if (authorization !== undefined && request.headers['proxy-authorization'] !== authorization) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n');
      return;
    }
    if (port === undefined) {
      client.end('HTTP/1.1 403 Forbidden\r\n\r\n');
      return;
    }
    const target = net.connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      target.pipe(client).pipe(target);
    });
    target.on('error', () => client.destroy());
    client.on('close', () => target.destroy());
    client.on('close', () => tunnels.delete(client));
  });
  const port = await listen(server);
  const stop = () => {
    for (const tunnel of tunnels) tunnel.destroy();
    return close(server);
  };
  return { url: `http://127.0.0.1:${port}`, port, asked, close: stop };
}

function listen(server: http.Server): Promise<number> {
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)));
}

function close(server: http.Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
