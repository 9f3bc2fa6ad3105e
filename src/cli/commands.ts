import type { Command } from './command.ts';
import { storeBackup } from './commands/store-backup.ts';
import { storeCheck } from './commands/store-check.ts';

/** Every command, in the order of the help. */
export const COMMANDS: readonly Command[] = [storeBackup, storeCheck];
