import { readFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { LocalAzure } from '#local-azure/local-azure.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** What TLS asks for; by default the host. */
  readonly servername?: string;
}

/** What the proxy says to CONNECT; with 200 the socket is the tunnel. */
export function tunnel(
  azure: LocalAzure,
  target: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; socket: Socket; headers: IncomingMessage['headers'] }> {
  const { hostname, port } = new URL(azure.proxyUrl);
  return new Promise((resolve, reject) => {
    const asked = httpRequest({ host: hostname, port, method: 'CONNECT', path: target, headers });
    asked.on('connect', (response, socket) =>
      resolve({ status: response.statusCode ?? 0, socket, headers: response.headers }),
    );
    asked.on('error', reject);
    asked.end();
  });
}

export async function secure(azure: LocalAzure, host: string, servername = host): Promise<TLSSocket> {
  const { socket } = await tunnel(azure, `${host}:443`);
  const ca = await readFile(azure.caFile);
  return new Promise((resolve, reject) => {
    const tls = tlsConnect({ socket, servername, ca }, () => resolve(tls));
    tls.on('error', reject);
  });
}

/** One request under a production host name, without any SDK. */
export async function ask(
  azure: LocalAzure,
  url: string,
  { method = 'GET', headers = {}, body = '', servername }: Asked = {},
): Promise<Answer> {
  const { hostname, pathname, search } = new URL(url);
  const socket = await secure(azure, hostname, servername);
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      {
        createConnection: () => socket,
        method,
        path: pathname + search,
        headers: { host: headers['host'] ?? hostname, ...headers },
      },
      async (response) => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: await text(response) });
        socket.destroy();
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}
