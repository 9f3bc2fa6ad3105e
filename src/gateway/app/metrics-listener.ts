import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { listening } from './listening.ts';

export interface MetricsListener {
  readonly url: string;
  close(): Promise<void>;
}

/** `GET /metrics` on a listener of its own, which nothing else is on: who may scrape need not be let to the API. */
export async function startMetricsListener(
  { host, port }: { readonly host: string; readonly port: number },
  registry: Registry,
): Promise<MetricsListener> {
  const server = createServer({ headersTimeout: 5_000, requestTimeout: 10_000, keepAliveTimeout: 65_000 });
  server.setTimeout(70_000);
  server.maxConnections = 64;
  server.on('request', (request, response) => {
    const isKnown = request.url?.split('?')[0] === '/metrics';
    if (!isKnown) return void response.writeHead(404).end();
    if (request.method !== 'GET') return void response.writeHead(405, { allow: 'GET' }).end();
    registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    );
  });
  await listening(server, { host, port }, ['metrics', 'port']);
  const { address, port: bound, family } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${address}]` : address}:${bound}/metrics`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
