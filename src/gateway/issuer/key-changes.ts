import type { Clock } from '#core/clock.ts';
import type { IssuerKey } from './issuer-key.ts';
import type { KeyFolder } from './key-folder.ts';
import { newRsaKey } from './rsa-key.ts';
import { isOutdated, type MachineTime, steadyTime, type TimeMark } from './steady-time.ts';
import type { PublicKey } from './token-issuer.ts';

/** Where keys are on disk, and by what time they age. */
export interface KeyGround {
  readonly folder: KeyFolder;
  readonly clock: Clock;
  readonly machine: () => MachineTime;
}

export interface KeyList {
  readonly keys: readonly IssuerKey[];
  /** As `steadyTime` counts. */
  readonly now: number;
  readonly mark: TimeMark;
  /** The mark that is written down says too little about the time by now. */
  readonly needsMark: boolean;
}

/** What becomes of the keys; the same list when nothing does. */
export type KeyChange = (list: KeyList) => Promise<readonly IssuerKey[]> | readonly IssuerKey[];

/** As it is written down at the moment. */
export async function readKeys({ folder, ...time }: KeyGround): Promise<KeyList> {
  const { mark, keys } = (await folder.read()) ?? { keys: [] };
  return { keys, ...timeOf(mark, time) };
}

/** Writes down what `change` makes of the keys. To be called by whoever holds the lock. */
export async function changeKeys(ground: KeyGround, change: KeyChange): Promise<KeyList> {
  const list = await readKeys(ground);
  const keys = await change(list);
  if (keys !== list.keys || list.needsMark) await ground.folder.write({ mark: list.mark, keys });
  return { ...list, keys };
}

export function timeOf(
  mark: TimeMark | undefined,
  { clock, machine }: Pick<KeyGround, 'clock' | 'machine'>,
): Omit<KeyList, 'keys'> {
  const said = { clock: clock.now(), ...machine() };
  const now = steadyTime(mark, said.clock, said);
  const today = { at: now, ...said };
  return { now, mark: today, needsMark: mark !== undefined && isOutdated(mark, today) };
}

/** A new key whose private part is on the disk, before anything names it; a list is there before the first. */
export async function storedKey({ folder }: KeyGround): Promise<PublicKey> {
  const { jwk, pem } = await newRsaKey();
  if ((await folder.read()) === undefined) await folder.write({ keys: [] });
  await folder.writePrivate(jwk.kid, pem);
  return jwk;
}
