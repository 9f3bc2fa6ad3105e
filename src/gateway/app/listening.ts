import { once } from 'node:events';
import type { Server } from 'node:net';
import { PlumblineError } from '#core/errors.ts';
import { fieldName } from '../config/yaml-source.ts';

/** Resolves when the server listens. @throws {PlumblineError} `ERR_CONFIG_INVALID`, naming the field whose address cannot be used */
export async function listening(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
  field: readonly string[],
): Promise<void> {
  server.listen({ host, port });
  try {
    await once(server, 'listening');
  } catch (cause) {
    const { code = 'unknown' } = cause as NodeJS.ErrnoException;
    throw new PlumblineError(
      'ERR_CONFIG_INVALID',
      `Cannot listen on ${host}:${port} (${fieldName(field)}): ${WHY[code] ?? code}`,
      {
        cause,
        remedy: 'Choose another address, or end what uses it.',
        details: { field: fieldName(field) },
      },
    );
  }
}

const WHY: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the address is in use',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'the gateway may not use this port',
};
