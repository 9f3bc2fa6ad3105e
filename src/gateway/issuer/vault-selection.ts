import type { KeyState } from './issuer-key.ts';
import { type KeyTimes, keptFor, MOST_KEYS } from './key-lifecycle.ts';
import type { VaultVersion } from './vault-client.ts';

/** Which versions of a vault's key are what. */
export interface VaultSelection {
  readonly signing: VaultVersion | undefined;
  /** The newest first; with the one that signs. */
  readonly published: readonly VaultVersion[];
}

export interface SelectionFacts {
  readonly times: Omit<KeyTimes, 'rotateEveryMs'>;
  readonly now: number;
  /** Since when this process publishes a version that came while it ran. */
  readonly seenSince: ReadonlyMap<string, number>;
  /** What signs now: a clock that was set back brings no older one back. */
  readonly signing?: string | undefined;
}

/**
 * Every version that has not expired is published, the newest of those that were published for long enough signs. Where none
 * was, the oldest does: others can know it best. A version signs no more when its last token could outlive it.
 */
export function selectVersions(versions: readonly VaultVersion[], facts: SelectionFacts): VaultSelection {
  const { now } = facts;
  const valid = versions.filter(({ expires = Number.POSITIVE_INFINITY }) => expires > now);
  const newestFirst = valid.toSorted((a, b) => b.created - a.created || (a.id < b.id ? 1 : -1));
  const usable = newestFirst.filter((version) => maySign(version, facts));
  const signing = usable.find((version) => isReady(version, facts)) ?? usable.at(-1);
  const others = newestFirst.filter((version) => version !== signing).slice(0, MOST_KEYS - (signing ? 1 : 0));
  return { signing, published: newestFirst.filter((version) => version === signing || others.includes(version)) };
}

/** What a published version is, beside the one that signs. */
export function stateOf(version: VaultVersion, { signing, published }: VaultSelection): KeyState {
  if (version.id === signing?.id) return 'active';
  const order = published.map(({ id }) => id);
  const isNewer = signing === undefined || order.indexOf(version.id) < order.indexOf(signing.id);
  return isNewer ? 'prepared' : 'retired';
}

function maySign(
  { notBefore = 0, expires = Number.POSITIVE_INFINITY }: VaultVersion,
  { times, now }: SelectionFacts,
): boolean {
  return notBefore <= now && expires - now > keptFor({ ...times, publishForMs: 0, rotateEveryMs: 0 });
}

function isReady({ id, created }: VaultVersion, { times, now, seenSince, signing }: SelectionFacts): boolean {
  const since = Math.max(created, seenSince.get(id) ?? 0);
  return id === signing || now - since >= times.publishForMs;
}
