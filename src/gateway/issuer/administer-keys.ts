import type { Clock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import type { KeptKeys, KeyHolder } from './kept-keys.ts';
import { changeKeys, type KeyChange, type KeyGround, type KeyList, readKeys, storedKey } from './key-changes.ts';
import { keyFolder } from './key-folder.ts';
import { activatedByHand, type KeyTimes, retiredByHand, succeeded, withNewKey } from './key-lifecycle.ts';
import { type MachineTime, machineTime } from './steady-time.ts';

/**
 * Keys on disk, by hand, whether the gateway runs or not. What is decided here is written down; the gateway puts it on record
 * within a second or two, or at its next start, and then it is in force. Only the private part of a key that is removed is gone at once.
 *
 * Everything throws `ERR_FILE_UNREADABLE`, and `ERR_INPUT_INVALID` for what cannot become of a key.
 */
export interface KeyAdministration {
  readonly times: KeyTimes;
  list(): Promise<KeyList>;
  prepare(): Promise<KeyList>;
  activate(kid: string, how: { readonly atOnce: boolean }): Promise<KeyList>;
  retire(kid: string, how: { readonly atOnce: boolean }): Promise<KeyList>;
}

/** @throws {PlumblineError} `ERR_INPUT_INVALID` when the keys are in a vault */
export function administerKeys(
  { settings, lifetimeMs, directory, holder }: KeptKeys,
  clock: Clock,
  machine: () => MachineTime = machineTime,
): KeyAdministration {
  if (settings.kind !== 'files') throw inVault(settings, holder);
  const folder = keyFolder(directory, holder);
  const ground: KeyGround = { folder, clock, machine };
  const times = { publishForMs: settings.publishForMs, rotateEveryMs: settings.rotateEveryMs, lifetimeMs };
  const change = (what: KeyChange) => folder.locked(() => changeKeys(ground, what));
  return {
    times,
    list: () => readKeys(ground),
    prepare: () => change(async ({ keys, now }) => withNewKey(keys, await storedKey(ground), now)),
    activate: (kid, { atOnce }) => change(({ keys, now }) => activatedByHand(keys, kid, times, now, atOnce)),
    retire: (kid, { atOnce }) =>
      folder.locked(async () => {
        const list = await changeKeys(ground, ({ keys, now }) =>
          succeeded(retiredByHand(keys, kid, atOnce), () => storedKey(ground), now),
        );
        await folder.keepPrivate(list.keys.filter(({ state }) => state !== 'removed').map((key) => key.kid));
        return list;
      }),
  };
}

function inVault(
  { vault, key }: { readonly vault: string; readonly key: string },
  { name }: KeyHolder,
): PlumblineError {
  return new PlumblineError('ERR_INPUT_INVALID', `The keys of ${name} are in vault ${vault}, not on this disk`, {
    remedy: `Each version of key ${key} is one: az keyvault key rotate makes a new one, az keyvault key set-attributes --enabled false ends one.`,
  });
}
