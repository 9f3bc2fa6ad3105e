import { once } from 'node:events';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { createServer } from 'node:tls';
import { createCertificateAuthority } from '#local-azure/certificate-authority.ts';
import type { DiscoveredIssuerDeclaration } from '#local-azure/declaration.ts';

/** What stands before a gateway in the internet: TLS with a certificate for its name. Everything else is the gateway's own. */
export interface IssuerFront {
  readonly declared: DiscoveredIssuerDeclaration;
  /** Tells where the gateway listens; before that nobody is there. */
  lead(port: number): void;
  close(): Promise<void>;
}

export async function startIssuerFront(host: string): Promise<IssuerFront> {
  const authority = await createCertificateAuthority();
  const sockets = new Set<Socket>();
  let port = 0;
  const server = createServer({ ...authority.issue([host]), ALPNProtocols: ['http/1.1'] }, (client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => sockets.delete(socket));
    }
    client.on('close', () => upstream.destroy());
    upstream.on('close', () => client.destroy());
    client.pipe(upstream).pipe(client);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    declared: { issuer: `https://${host}`, discovery: { address, caFile: authority.caFile } },
    lead: (to) => {
      port = to;
    },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
      await authority.remove();
    },
  };
}
