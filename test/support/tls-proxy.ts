import { readFileSync } from 'node:fs';
import { request as forward, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { pipeline } from 'node:stream';
import { createCertificateAuthority } from '#local-azure/certificate-authority.ts';

export interface TlsProxy {
  readonly url: string;
  /** PEM; whoever is to trust it. */
  readonly ca: string;
  close(): Promise<void>;
}

/** What ends TLS in front of a gateway, with a certificate that nobody trusts: it says whose request it is, and changes nothing else. */
export async function startTlsProxy(port: number, target: string): Promise<TlsProxy> {
  const authority = await createCertificateAuthority();
  const certificate = authority.issue(['localhost']);
  const ca = readFileSync(authority.caFile, 'utf8');
  await authority.remove();
  const server = createServer(certificate, (request, response) => pass(request, response, target));
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done));
  return {
    url: `https://localhost:${port}`,
    ca,
    close: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(() => done()));
    },
  };
}

function pass(request: IncomingMessage, response: ServerResponse, target: string): void {
  const { method, url, headers } = request;
  const whose = { 'x-forwarded-for': '192.0.2.44', 'x-forwarded-proto': 'https' };
  const sent = forward(`${target}${url}`, { method, headers: { ...headers, ...whose } }, (answer) => {
    // The browser has gone on.
    if (response.destroyed) return void answer.destroy();
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
    pipeline(answer, response, () => {});
  });
  sent.on('error', () => response.destroy());
  if (!request.destroyed) pipeline(request, sent, () => {});
}
