import { resolve } from 'node:path';
import { type Command, JSON_OPTION } from '../command.ts';
import { EXIT } from '../exit-status.ts';
import { ISSUER_CONFIG } from '../open-keys.ts';
import { printable } from '../printable.ts';

export const issuerExport: Command = {
  name: 'issuer export',
  summary:
    'Writes discovery and public keys as files, for a web server that others reach when they cannot reach the gateway.',
  takes: ['DIR'],
  options: { config: ISSUER_CONFIG, json: JSON_OPTION },
  async run(given, terminal) {
    const { loadGatewayConfig } = await import('#gateway/config/load-gateway-config.ts');
    const { configuredKeys } = await import('#gateway/issuer/configured-keys.ts');
    const { exportIssuer } = await import('#gateway/issuer/export-issuer.ts');
    const { issuer, keys } = await configuredKeys(loadGatewayConfig(given.required('config')));
    const files = await exportIssuer(resolve(given.required('DIR')), issuer, keys);
    if (given.flag('json')) terminal.out(JSON.stringify({ ok: true, issuer: issuer.url, keys: keys.length, files }));
    else for (const file of files) terminal.out(printable(file));
    return EXIT.done;
  },
};
