import { formatDuration } from '#core/duration.ts';
import { PlumblineError } from '#core/errors.ts';
import type { IssuerKey, KeyState } from './issuer-key.ts';
import type { PublicKey } from './token-issuer.ts';

// What may become of keys, as functions of lists of them. Who calls them writes the result down, has it recorded, and only then
// lets it be in force: `settled`.

export interface KeyTimes {
  /** A key is published for so long before it signs. */
  readonly publishForMs: number;
  /** 0: keys change by hand only. */
  readonly rotateEveryMs: number;
  /** Of a token. */
  readonly lifetimeMs: number;
}

/** More make the documents long and say that something is wrong; Entra ID and others keep few. */
export const MOST_KEYS = 5;
/** Clocks of those who verify may be behind by this much. */
const TOLERANCE_MS = 600_000;

/** What verifies tokens now, the newest last. */
export function publishedKeys(keys: readonly IssuerKey[]): readonly IssuerKey[] {
  return keys.filter(({ inForce }) => inForce !== undefined && inForce !== 'removed');
}

/** What signs now. */
export function signingKey(keys: readonly IssuerKey[]): IssuerKey | undefined {
  return keys.find(({ inForce }) => inForce === 'active');
}

/** What was decided and is not in force yet. */
export function pendingKeys(keys: readonly IssuerKey[]): readonly IssuerKey[] {
  return keys.filter(({ state, inForce }) => state !== inForce);
}

/** Everything that was decided is in force from now on. */
export function settled(keys: readonly IssuerKey[], now: number): readonly IssuerKey[] {
  const left = keys.filter(({ state }) => state !== 'removed');
  return left.map((key) => (key.state === key.inForce ? key : { ...key, inForce: key.state, since: now }));
}

/**
 * How long a key is published after its last signature: its last token lives for `lifetimeMs`, clocks of those who verify may be
 * behind, and a copy of the documents on a web server of its own may come as late as a new key's, `publishForMs`.
 */
export function keptFor({ publishForMs, lifetimeMs }: KeyTimes): number {
  return lifetimeMs + Math.max(publishForMs, TOLERANCE_MS);
}

/** What time alone brings: a step of one key, or the wish for a new one. One at a time, so that each can be recorded. */
export type DueStep = { readonly change: readonly IssuerKey[] } | 'prepare';

export function dueStep(keys: readonly IssuerKey[], times: KeyTimes, now: number): DueStep | undefined {
  if (staying(keys).length === 0) return 'prepare';
  const age = ({ since }: IssuerKey) => now - since;
  const old = keys.find((key) => key.state === 'retired' && key.inForce === 'retired' && age(key) >= keptFor(times));
  if (old) return { change: withState(keys, old.kid, 'removed') };
  if (times.rotateEveryMs === 0) return undefined;
  const next = keys.find(({ state }) => state === 'prepared');
  if (next) return isPublishedLongEnough(next, times, now) ? { change: activated(keys, next.kid) } : undefined;
  const active = keys.find(({ state }) => state === 'active');
  const isOld = active !== undefined && age(active) >= times.rotateEveryMs - times.publishForMs;
  return isOld && staying(keys).length < MOST_KEYS ? 'prepare' : undefined;
}

/** The very first key is active at once: nobody can have a copy of the documents without it. */
export function withNewKey(keys: readonly IssuerKey[], jwk: PublicKey, now: number): readonly IssuerKey[] {
  const waiting = keys.find(({ state }) => state === 'prepared');
  if (waiting) throw refused(`key ${waiting.kid} is prepared already`, 'Activate it, or retire it first.');
  const { length } = staying(keys);
  if (length >= MOST_KEYS)
    throw refused(`${length} keys are published, which is the most`, 'Wait until a retired one is removed.');
  return [...keys, { kid: jwk.kid, jwk, state: length === 0 ? 'active' : 'prepared', since: now }];
}

/** @param atOnce also when copies of the documents without this key may be about */
export function activatedByHand(
  keys: readonly IssuerKey[],
  kid: string,
  times: KeyTimes,
  now: number,
  atOnce: boolean,
): readonly IssuerKey[] {
  const key = found(keys, kid);
  if (key.state !== 'prepared') throw refused(`key ${kid} is ${key.state}`, 'Only a prepared key can be activated.');
  if (!atOnce && !isPublishedLongEnough(key, times, now)) throw tooEarly(key, times, now);
  return activated(keys, kid);
}

/** A prepared key can be taken back at any time; another one before its time only when it is said to be at once. */
export function retiredByHand(keys: readonly IssuerKey[], kid: string, atOnce: boolean): readonly IssuerKey[] {
  const key = found(keys, kid);
  if (key.state !== 'prepared' && !atOnce) throw notYet(key);
  return withState(keys, kid, 'removed');
}

/** After the removal of the key that signs: the prepared one signs, for however short it is published, or else a new one. */
export async function succeeded(
  keys: readonly IssuerKey[],
  newKey: () => Promise<PublicKey>,
  now: number,
): Promise<readonly IssuerKey[]> {
  const left = staying(keys);
  if (left.some(({ state }) => state === 'active')) return keys;
  const next = left.find(({ state }) => state === 'prepared');
  if (next) return withState(keys, next.kid, 'active');
  const jwk = await newKey();
  return [...keys, { kid: jwk.kid, jwk, state: 'active', since: now }];
}

export function isPublishedLongEnough({ inForce, since }: IssuerKey, { publishForMs }: KeyTimes, now: number): boolean {
  return inForce === 'prepared' && now - since >= publishForMs;
}

function staying(keys: readonly IssuerKey[]): readonly IssuerKey[] {
  return keys.filter(({ state }) => state !== 'removed');
}

function activated(keys: readonly IssuerKey[], kid: string): readonly IssuerKey[] {
  const before = keys.find(({ state }) => state === 'active');
  return withState(before ? withState(keys, before.kid, 'retired') : keys, kid, 'active');
}

function withState(keys: readonly IssuerKey[], kid: string, state: KeyState): readonly IssuerKey[] {
  return keys.map((key) => (key.kid === kid ? { ...key, state } : key));
}

function found(keys: readonly IssuerKey[], kid: string): IssuerKey {
  const key = keys.find((one) => one.kid === kid && one.state !== 'removed');
  if (key) return key;
  throw refused(`there is no key ${kid.slice(0, 80)}`, 'Take the name of a key from "plumbline issuer keys".');
}

function notYet({ kid, state }: IssuerKey): PlumblineError {
  if (state === 'active')
    return refused(
      `key ${kid} signs`,
      'Activate another key, which retires this one; or remove it at once with --now, when somebody else may have it.',
    );
  return refused(
    `key ${kid} is retired already`,
    'It is removed by itself when no token of it is about any more; --now removes it at once.',
  );
}

function tooEarly({ inForce, since }: IssuerKey, { publishForMs }: KeyTimes, now: number): PlumblineError {
  const most = formatDuration(publishForMs);
  const why =
    inForce === undefined
      ? 'the gateway has not published it yet'
      : `it has been published for ${formatDuration(now - since)} of ${most}`;
  return refused(
    why,
    'Wait, or use --now: whoever keeps a copy of the keys without this one refuses its tokens until the copy is renewed.',
  );
}

function refused(why: string, remedy: string): PlumblineError {
  return new PlumblineError('ERR_INPUT_INVALID', `The keys stay as they are: ${why}`, { remedy });
}
