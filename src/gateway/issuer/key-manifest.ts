import { type IssuerKey, type KeyState, type PublicParts, publicKeyOf } from './issuer-key.ts';
import type { TimeMark } from './steady-time.ts';

/** Which keys there are. The file has public parts only. */
export interface KeyManifest {
  readonly mark?: TimeMark | undefined;
  readonly keys: readonly IssuerKey[];
}

const VERSION = 1;
const STATES: readonly unknown[] = ['prepared', 'active', 'retired', 'removed'] satisfies KeyState[];

export function formatManifest({ mark, keys }: KeyManifest): string {
  return `${JSON.stringify({ version: VERSION, mark, keys }, null, 2)}\n`;
}

/** @throws {Error} for what is no manifest: a key that was exchanged would sign in the issuer's name */
export async function parseManifest(text: string): Promise<KeyManifest> {
  const { version, mark, keys } = record(JSON.parse(text));
  if (version !== VERSION || !Array.isArray(keys)) throw new Error('it is no list of keys that this version knows');
  const read = await Promise.all(keys.map(keyOf));
  if (read.length > 0 && read.filter(({ state }) => state === 'active').length !== 1)
    throw new Error('not exactly one key is active');
  if (new Set(read.map(({ kid }) => kid)).size !== read.length) throw new Error('a key stands twice');
  return { mark: mark === undefined ? undefined : markOf(mark), keys: read };
}

async function keyOf(value: unknown): Promise<IssuerKey> {
  const { kid, jwk, state, inForce, since } = record(value);
  const isStated = STATES.includes(state) && (inForce === undefined || STATES.includes(inForce));
  if (!isStated || typeof since !== 'number') throw new Error('a key has no state');
  const own = await publicKeyOf(record(jwk) as PublicParts);
  if (own.kid !== kid) throw new Error(`a key is not ${String(kid).slice(0, 80)}, as it is called`);
  return { kid: own.kid, jwk: own, state: state as KeyState, inForce: inForce as KeyState | undefined, since };
}

function markOf(value: unknown): TimeMark {
  const { at, clock, boot, ms } = record(value);
  if (typeof at !== 'number' || typeof clock !== 'number' || typeof boot !== 'string' || typeof ms !== 'number')
    throw new Error('its mark of time is none');
  return { at, clock, boot, ms };
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error('it is no list of keys');
  return value as Readonly<Record<string, unknown>>;
}
