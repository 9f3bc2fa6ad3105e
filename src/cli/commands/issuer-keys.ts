import { type Command, JSON_OPTION } from '../command.ts';
import { EXIT } from '../exit-status.ts';
import { ISSUER_CONFIG, openKeys } from '../open-keys.ts';
import { tellKeys } from '../tell-keys.ts';

export const issuerKeys: Command = {
  name: 'issuer keys',
  summary: 'Lists the keys on disk that sign tokens, or may, or did.',
  takes: [],
  options: { config: ISSUER_CONFIG, json: JSON_OPTION },
  async run(given, terminal) {
    const keys = await openKeys(given);
    tellKeys(await keys.list(), keys.times, given, terminal);
    return EXIT.done;
  },
};
