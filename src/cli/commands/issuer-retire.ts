import { type Command, JSON_OPTION } from '../command.ts';
import { EXIT } from '../exit-status.ts';
import { KEY_OPTIONS, openKeys } from '../open-keys.ts';
import { tellKeys } from '../tell-keys.ts';

export const issuerRetire: Command = {
  name: 'issuer retire',
  summary: 'Takes a prepared key back; with --now removes any key at once, when somebody else may have it.',
  takes: ['KEY'],
  options: {
    ...KEY_OPTIONS,
    now: { help: 'its tokens are refused as soon as copies of the keys are renewed; another key signs' },
    json: JSON_OPTION,
  },
  async run(given, terminal) {
    const keys = await openKeys(given);
    const atOnce = given.flag('now');
    tellKeys(await keys.retire(given.required('KEY'), { atOnce }), keys.times, given, terminal);
    return EXIT.done;
  },
};
