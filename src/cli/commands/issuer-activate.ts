import { type Command, JSON_OPTION } from '../command.ts';
import { EXIT } from '../exit-status.ts';
import { KEY_OPTIONS, openKeys } from '../open-keys.ts';
import { tellKeys } from '../tell-keys.ts';

export const issuerActivate: Command = {
  name: 'issuer activate',
  summary: 'Lets a prepared key sign; the one that did is retired, and published until its tokens are over.',
  takes: ['KEY'],
  options: {
    ...KEY_OPTIONS,
    now: {
      help: 'although it was not published for as long as the configuration says: who has an old copy of the keys refuses its tokens',
    },
    json: JSON_OPTION,
  },
  async run(given, terminal) {
    const keys = await openKeys(given);
    const atOnce = given.flag('now');
    tellKeys(await keys.activate(given.required('KEY'), { atOnce }), keys.times, given, terminal);
    return EXIT.done;
  },
};
