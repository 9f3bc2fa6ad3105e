import { join, resolve } from 'node:path';
import { type Command, JSON_OPTION } from '../command.ts';
import { EXIT } from '../exit-status.ts';
import { printable } from '../printable.ts';

export const storeBackup: Command = {
  name: 'store backup',
  summary: 'Copies the store of a gateway, which may go on meanwhile, and checks the copy.',
  takes: ['TARGET'],
  options: {
    config: { value: 'FILE', help: "the gateway's configuration; its state directory has the store", required: true },
    json: JSON_OPTION,
  },
  async run(given, terminal) {
    const { loadGatewayConfig } = await import('#gateway/config/load-gateway-config.ts');
    const { backupStoreFile } = await import('#gateway/store/backup-store-file.ts');
    const store = join(loadGatewayConfig(given.required('config')).stateDirectory, 'store.sqlite');
    const target = resolve(given.required('TARGET'));
    const { version, runs } = backupStoreFile(store, target);
    if (given.flag('json')) terminal.out(JSON.stringify({ ok: true, store, target, version, runs }));
    else terminal.out(printable(`${target}: ${runs} runs, version ${version}, checked`));
    return EXIT.done;
  },
};
