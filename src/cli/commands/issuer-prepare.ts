import { type Command, JSON_OPTION } from '../command.ts';
import { EXIT } from '../exit-status.ts';
import { KEY_OPTIONS, openKeys } from '../open-keys.ts';
import { tellKeys } from '../tell-keys.ts';

export const issuerPrepare: Command = {
  name: 'issuer prepare',
  summary: 'Makes a new key, which is published and does not sign yet.',
  takes: [],
  options: { ...KEY_OPTIONS, json: JSON_OPTION },
  async run(given, terminal) {
    const keys = await openKeys(given);
    tellKeys(await keys.prepare(), keys.times, given, terminal);
    return EXIT.done;
  },
};
