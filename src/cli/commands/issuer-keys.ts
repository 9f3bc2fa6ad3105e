import type { GatewayConfig } from '#gateway/config/gateway-config.ts';
import type { Arguments } from '../arguments.ts';
import { type Command, JSON_OPTION } from '../command.ts';
import { EXIT } from '../exit-status.ts';
import { ISSUER_CONFIG, openKeys } from '../open-keys.ts';
import { table } from '../table.ts';
import { tellKeys } from '../tell-keys.ts';
import type { Terminal } from '../terminal.ts';

export const issuerKeys: Command = {
  name: 'issuer keys',
  summary: 'Lists the keys that sign tokens, or may, or did.',
  takes: [],
  options: { config: ISSUER_CONFIG, json: JSON_OPTION },
  async run(given, terminal) {
    const { loadGatewayConfig } = await import('#gateway/config/load-gateway-config.ts');
    const config = loadGatewayConfig(given.required('config'));
    if (config.issuer?.keys.kind === 'azure-key-vault') await tellVersions(config, given, terminal);
    else {
      const keys = await openKeys(given);
      tellKeys(await keys.list(), keys.times, given, terminal);
    }
    return EXIT.done;
  },
};

async function tellVersions(config: GatewayConfig, given: Arguments, terminal: Terminal): Promise<void> {
  const { vaultKeyList } = await import('#gateway/issuer/configured-keys.ts');
  const rows = (await vaultKeyList(config)).map(({ jwk: { kid }, state, id }) => ({ kid, state, id }));
  if (given.flag('json')) return terminal.out(JSON.stringify({ ok: true, keys: rows }));
  for (const line of table(
    ['KEY', 'STATE', 'VERSION'],
    rows.map(({ kid, state, id }) => [kid, state, id]),
  ))
    terminal.out(line);
}
