import { createHash, createPublicKey, verify } from 'node:crypto';
import { promisify } from 'node:util';
import type { Clock } from '#core/clock.ts';
import { asPlumblineError } from '#core/errors.ts';
import type { KeyLog } from './file-keys.ts';
import { TRANSITIONS } from './issuer-key.ts';
import { issuerUnavailable } from './issuer-unavailable.ts';
import type { KeyTimes } from './key-lifecycle.ts';
import type { RecordKey, Signature, SigningKeys } from './signing-keys.ts';
import { Slots } from './slots.ts';
import type { PublicKey } from './token-issuer.ts';
import type { VaultClient, VaultVersion } from './vault-client.ts';
import { selectVersions, stateOf, type VaultSelection } from './vault-selection.ts';
import { type VaultTrouble, vaultTrouble } from './vault-trouble.ts';

export interface VaultKeysOptions {
  readonly client: VaultClient;
  readonly times: Omit<KeyTimes, 'rotateEveryMs'>;
  readonly audited: RecordKey;
  readonly clock: Clock;
  readonly log: KeyLog;
}

/** For one token, waiting for a turn and for a vault that is busy included. */
const SIGNED_WITHIN_MS = 10_000;
const LISTED_WITHIN_MS = 30_000;
/** The start of a gateway waits for a vault no longer than this: runs of before want to be taken up. */
const OPENED_WITHIN_MS = 5_000;
const AT_ONCE = 32;
const LIST_EVERY_MS = 300_000;
const LEAST_LIST_EVERY_MS = 10_000;
const LONGEST_PAUSE_MS = 60_000;
const NOTHING: VaultSelection = { signing: undefined, published: [] };
const isSignedBy = promisify(verify);

/**
 * Versions of one key in a vault. The vault computes each signature; what it says is checked with the public part before
 * anybody gets it. When it cannot sign nothing else does.
 */
export class VaultKeys implements SigningKeys {
  readonly #options: VaultKeysOptions;
  readonly #slots = new Slots(AT_ONCE);
  readonly #closing = new AbortController();
  readonly #seenSince = new Map<string, number>();
  #inForce = NOTHING;
  #trouble: string | undefined = 'the versions of its key are asked for';
  #listing: Promise<void> | undefined;
  #busyUntil = 0;

  constructor(options: VaultKeysOptions) {
    this.#options = options;
  }

  /** Waits for the first answer of the vault, and not for long; one that is no good, or late, is a `problem()`. */
  async open(): Promise<void> {
    const answered = new AbortController();
    this.#keepFresh(() => answered.abort()).catch(() => undefined);
    await this.#options.clock.sleep(OPENED_WITHIN_MS, answered.signal).catch(() => undefined);
  }

  published(): readonly PublicKey[] {
    return this.#inForce.published.map(({ jwk }) => jwk);
  }

  problem(): string | undefined {
    return this.#trouble;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#listing;
  }

  async sign(textOf: (kid: string) => string): Promise<Signature> {
    const signal = AbortSignal.timeout(SIGNED_WITHIN_MS);
    const until = this.#options.clock.now() + SIGNED_WITHIN_MS;
    try {
      return await this.#slots.run(() => this.#signInTime(textOf, until, signal), signal);
    } catch (thrown) {
      if (!signal.aborted) throw thrown;
      throw issuerUnavailable(`the vault did not sign within ${SIGNED_WITHIN_MS / 1_000} s`, thrown);
    }
  }

  async #signInTime(textOf: (kid: string) => string, until: number, signal: AbortSignal): Promise<Signature> {
    for (;;) {
      await this.#untilNotBusy(until, signal);
      const { signing } = this.#inForce;
      if (signing === undefined) throw issuerUnavailable(this.#trouble ?? 'no version of its key can sign');
      const done = await this.#tried(signing, Buffer.from(textOf(signing.jwk.kid)), signal);
      if (!('why' in done)) return done;
      if (done.waitMs === undefined) await this.#otherThan(signing, done.why);
    }
  }

  /** A version that does not sign may have been disabled, and another one may be there. */
  async #otherThan(failed: VaultVersion, why: string): Promise<void> {
    await this.#refresh();
    if (this.#inForce.signing !== undefined && this.#inForce.signing.id !== failed.id) return;
    this.#trouble ??= why;
    throw issuerUnavailable(why);
  }

  async #tried(signing: VaultVersion, text: Buffer, signal: AbortSignal): Promise<Signature | VaultTrouble> {
    const { client, clock } = this.#options;
    try {
      const digest = createHash('sha256').update(text).digest();
      const bytes = await client.sign(signing.id, digest, signal);
      const key = createPublicKey({ key: { ...signing.jwk }, format: 'jwk' });
      if (!(await isSignedBy('sha256', text, key, bytes))) return { why: 'what the vault signed does not verify' };
      this.#trouble = undefined;
      return { kid: signing.jwk.kid, bytes };
    } catch (thrown) {
      signal.throwIfAborted();
      const trouble = vaultTrouble(thrown, clock.now());
      if (trouble.waitMs !== undefined) this.#busyUntil = clock.now() + trouble.waitMs;
      this.#trouble = trouble.why;
      return trouble;
    }
  }

  /** A vault that asked for time gets it, from all who wait; who cannot wait for so long is told at once. */
  async #untilNotBusy(until: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const left = this.#busyUntil - clock.now();
    if (left <= 0) return;
    if (this.#busyUntil > until) throw issuerUnavailable(this.#trouble ?? 'the vault has too many requests');
    await clock.sleep(left, signal);
  }

  async #keepFresh(onAnswer: () => void): Promise<void> {
    const { clock, times } = this.#options;
    const every = Math.min(LIST_EVERY_MS, Math.max(LEAST_LIST_EVERY_MS, times.publishForMs / 10));
    for (let failures = 0; !this.#closing.signal.aborted; ) {
      await this.#refresh();
      onAnswer();
      failures = this.#trouble === undefined ? 0 : failures + 1;
      const pause = failures === 0 ? every : Math.min(LONGEST_PAUSE_MS, 1_000 * 2 ** failures);
      await clock.sleep(pause, this.#closing.signal);
    }
  }

  /** One at a time; it never throws. */
  #refresh(): Promise<void> {
    this.#listing ??= this.#list().finally(() => {
      this.#listing = undefined;
    });
    return this.#listing;
  }

  async #list(): Promise<void> {
    const { client, clock } = this.#options;
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(LISTED_WITHIN_MS)]);
    let versions: readonly VaultVersion[];
    try {
      versions = await client.versions(signal);
    } catch (thrown) {
      return this.#tell(vaultTrouble(thrown, clock.now()).why);
    }
    try {
      await this.#adopt(versions);
    } catch (thrown) {
      return this.#tell(asPlumblineError(thrown).message);
    }
    if (this.#inForce.signing === undefined) this.#tell('no version of its key can sign');
    else this.#trouble = undefined;
  }

  #tell(why: string): void {
    if (this.#closing.signal.aborted) return;
    if (why !== this.#trouble) this.#options.log.error({ room: 'issuer' }, `The issuer's key in the vault: ${why}`);
    this.#trouble = why;
  }

  /** What changes is on record before it is in force. */
  async #adopt(versions: readonly VaultVersion[]): Promise<void> {
    const { times, clock, audited, log } = this.#options;
    const before = this.#inForce;
    const now = clock.now();
    if (before !== NOTHING) for (const { id } of versions) if (!this.#seenSince.has(id)) this.#seenSince.set(id, now);
    const facts = { times, now, seenSince: this.#seenSince, signing: before.signing?.id };
    const after = selectVersions(versions, facts);
    const changes = changesOf(before, after);
    for (const { kid, result } of changes) await audited(kid, result);
    this.#inForce = after;
    if (before === NOTHING) for (const { id } of versions) this.#seenSince.set(id, 0);
    const kids = after.published.map(({ jwk }) => jwk.kid);
    if (changes.length > 0)
      log.info({ room: 'issuer', active: after.signing?.jwk.kid, published: kids }, 'keys in force');
  }
}

function changesOf(before: VaultSelection, after: VaultSelection) {
  const was = statesOf(before);
  const is = statesOf(after);
  const removed = [...was.keys()].filter((kid) => !is.has(kid)).map((kid) => ({ kid, result: TRANSITIONS.removed }));
  const changed = [...is].filter(([kid, state]) => was.get(kid) !== state);
  return [...removed, ...changed.map(([kid, state]) => ({ kid, result: TRANSITIONS[state] }))];
}

function statesOf(selection: VaultSelection) {
  return new Map(selection.published.map((version) => [version.jwk.kid, stateOf(version, selection)]));
}
