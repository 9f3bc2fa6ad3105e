import { resolve } from 'node:path';
import type { Arguments } from '../arguments.ts';
import { type Command, JSON_OPTION } from '../command.ts';
import { EXIT } from '../exit-status.ts';
import { KEY_OPTIONS } from '../open-keys.ts';
import { printable } from '../printable.ts';
import type { Terminal } from '../terminal.ts';

export const issuerExport: Command = {
  name: 'issuer export',
  summary:
    'Writes discovery and public keys as files, for a web server that others reach when they cannot reach the gateway.',
  takes: ['DIR'],
  options: { ...KEY_OPTIONS, json: JSON_OPTION },
  async run(given, terminal) {
    const { loadGatewayConfig } = await import('#gateway/config/load-gateway-config.ts');
    const config = loadGatewayConfig(given.required('config'));
    const directory = resolve(given.required('DIR'));
    const airflow = given.optional('airflow');
    if (airflow !== undefined) {
      const { configuredAirflow } = await import('#gateway/airflow/kept-airflow-keys.ts');
      const { exportAirflowKeys } = await import('#gateway/airflow/export-airflow-keys.ts');
      const file = await exportAirflowKeys(directory, configuredAirflow(config, airflow), config);
      return tell({ airflow, files: [file] }, given, terminal);
    }
    const { configuredKeys } = await import('#gateway/issuer/configured-keys.ts');
    const { exportIssuer } = await import('#gateway/issuer/export-issuer.ts');
    const { issuer, keys } = await configuredKeys(config);
    const files = await exportIssuer(directory, issuer, keys);
    return tell({ issuer: issuer.url, keys: keys.length, files }, given, terminal);
  },
};

interface Written {
  readonly files: readonly string[];
  readonly [fact: string]: unknown;
}

function tell(written: Written, given: Arguments, terminal: Terminal): typeof EXIT.done {
  if (given.flag('json')) terminal.out(JSON.stringify({ ok: true, ...written }));
  else for (const file of written.files) terminal.out(printable(file));
  return EXIT.done;
}
