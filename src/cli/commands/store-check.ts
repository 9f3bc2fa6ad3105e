import { existsSync } from 'node:fs';
import { PlumblineError } from '#core/errors.ts';
import { type Command, JSON_OPTION } from '../command.ts';
import { EXIT } from '../exit-status.ts';
import { printable } from '../printable.ts';

export const storeCheck: Command = {
  name: 'store check',
  summary: 'Reads a whole store, or a backup of one, and says whether it is sound.',
  takes: ['FILE'],
  options: { json: JSON_OPTION },
  async run(given, terminal) {
    const { checkStoreFile } = await import('#gateway/store/store.ts');
    const file = given.required('FILE');
    if (!existsSync(file))
      throw new PlumblineError('ERR_FILE_UNREADABLE', `Cannot read ${file}: there is no such file`);
    try {
      const { version, runs } = checkStoreFile(file);
      if (given.flag('json')) terminal.out(JSON.stringify({ ok: true, file, version, runs }));
      else terminal.out(`${printable(file)}: ${terminal.paint('green', 'sound')}, ${runs} runs, version ${version}`);
      return EXIT.done;
    } catch (error) {
      if (!isDamage(error)) throw error;
      if (given.flag('json')) terminal.out(JSON.stringify({ ok: false, file, reason: 'damaged' }));
      else
        terminal.out(
          `${printable(file)}: ${terminal.paint('red', 'damaged')}. Restore a backup of it, or another one.`,
        );
      return EXIT.refused;
    }
  },
};

/** The file was read and is none; everything else is no answer. */
function isDamage(error: unknown): error is PlumblineError {
  return error instanceof PlumblineError && error.details['reason'] === 'damaged';
}
