import { systemClock } from '#core/clock.ts';
import type { Arguments } from '../arguments.ts';
import { type Command, JSON_OPTION } from '../command.ts';
import { EXIT } from '../exit-status.ts';
import { KEY_OPTIONS, type NamedKeys, namedKeys } from '../open-keys.ts';
import { table } from '../table.ts';
import { tellKeys } from '../tell-keys.ts';
import type { Terminal } from '../terminal.ts';

export const issuerKeys: Command = {
  name: 'issuer keys',
  summary: 'Lists the keys that sign tokens, or may, or did.',
  takes: [],
  options: { ...KEY_OPTIONS, json: JSON_OPTION },
  async run(given, terminal) {
    const { administerKeys } = await import('#gateway/issuer/administer-keys.ts');
    const named = await namedKeys(given);
    if (named.kept.settings.kind === 'azure-key-vault') await tellVersions(named, given, terminal);
    else {
      const keys = administerKeys(named.kept, systemClock);
      tellKeys(await keys.list(), keys.times, given, terminal);
    }
    return EXIT.done;
  },
};

async function tellVersions({ kept, config }: NamedKeys, given: Arguments, terminal: Terminal): Promise<void> {
  const { vaultKeyList } = await import('#gateway/issuer/configured-keys.ts');
  const rows = (await vaultKeyList(kept, config)).map(({ jwk: { kid }, state, id }) => ({ kid, state, id }));
  if (given.flag('json')) return terminal.out(JSON.stringify({ ok: true, keys: rows }));
  for (const line of table(
    ['KEY', 'STATE', 'VERSION'],
    rows.map(({ kid, state, id }) => [kid, state, id]),
  ))
    terminal.out(line);
}
