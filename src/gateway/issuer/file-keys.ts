import type { Clock } from '#core/clock.ts';
import { asPlumblineError, PlumblineError } from '#core/errors.ts';
import { type IssuerKey, TRANSITIONS } from './issuer-key.ts';
import { issuerUnavailable } from './issuer-unavailable.ts';
import { changeKeys, type KeyGround, type KeyList, storedKey, timeOf } from './key-changes.ts';
import { type KeyFolder, withoutList } from './key-folder.ts';
import {
  dueStep,
  type KeyTimes,
  pendingKeys,
  publishedKeys,
  settled,
  signingKey,
  succeeded,
  withNewKey,
} from './key-lifecycle.ts';
import { type RsaSign, rsaSign } from './rsa-key.ts';
import type { RecordKey, Signature, SigningKeys } from './signing-keys.ts';
import type { MachineTime, TimeMark } from './steady-time.ts';
import type { PublicKey } from './token-issuer.ts';

export interface FileKeysOptions {
  readonly folder: KeyFolder;
  readonly times: KeyTimes;
  readonly audited: RecordKey;
  readonly clock: Clock;
  readonly machine: () => MachineTime;
  readonly log: KeyLog;
}

export interface KeyLog {
  info(facts: object, message: string): void;
  error(facts: object, message: string): void;
}

/** What is in force in this process. */
interface InForce {
  readonly keys: readonly IssuerKey[];
  readonly published: readonly PublicKey[];
  readonly signer: { readonly kid: string; readonly sign: RsaSign } | undefined;
  readonly mark: TimeMark;
  readonly version: string | undefined;
}

const LOOK_EVERY_MS = 1_000;

/**
 * Keys in a folder of the state directory. Whoever decides on a change, time or `plumbline issuer`, writes it into the list of
 * keys; here it is put on record, and only then is it in force. So a process that is killed between two steps finds at its next
 * start what is still to be done.
 */
export class FileKeys implements SigningKeys {
  readonly #options: FileKeysOptions;
  readonly #closing = new AbortController();
  #inForce: InForce;
  #trouble: string | undefined;
  #looking: Promise<void> | undefined;

  private constructor(options: FileKeysOptions, inForce: InForce) {
    this.#options = options;
    this.#inForce = inForce;
  }

  /** @throws {PlumblineError} `ERR_FILE_UNREADABLE`, and what `audited` throws */
  static async open(options: FileKeysOptions): Promise<FileKeys> {
    const keys = new FileKeys(options, await broughtIntoForce(options));
    keys.#looking = keys.#keepLooking();
    return keys;
  }

  published(): readonly PublicKey[] {
    return this.#inForce.published;
  }

  async sign(textOf: (kid: string) => string): Promise<Signature> {
    for (;;) {
      const { signer } = this.#inForce;
      if (signer === undefined) throw issuerUnavailable(this.problem() ?? 'no key is active');
      const bytes = await signer.sign(Buffer.from(textOf(signer.kid)));
      // A key that was removed meanwhile has signed nothing that anybody gets.
      if (this.#inForce.published.some(({ kid }) => kid === signer.kid)) return { kid: signer.kid, bytes };
    }
  }

  problem(): string | undefined {
    return this.#inForce.signer === undefined ? (this.#trouble ?? 'no key is active') : undefined;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#looking;
  }

  async #keepLooking(): Promise<void> {
    const { clock } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted) {
      await clock.sleep(LOOK_EVERY_MS, signal).catch(() => undefined);
      if (!signal.aborted) await this.#look();
    }
  }

  async #look(): Promise<void> {
    try {
      if (await this.#isDue()) this.#inForce = await broughtIntoForce(this.#options);
      this.#trouble = undefined;
    } catch (thrown) {
      const { code, message } = asPlumblineError(thrown);
      // What is in force stays so, and it is tried again; told once.
      if (this.#trouble !== message) this.#options.log.error({ room: 'issuer', code }, message);
      this.#trouble = message;
    }
  }

  async #isDue(): Promise<boolean> {
    const { folder, times } = this.#options;
    const { mark, keys, version } = this.#inForce;
    const found = await folder.version();
    if (found === undefined) throw withoutList(folder);
    if (this.#trouble !== undefined || found !== version) return true;
    const { now, needsMark } = timeOf(mark, this.#options);
    return needsMark || dueStep(keys, times, now) !== undefined;
  }
}

/** Does everything that is due or was decided, one step after the other, each on record before it is in force. */
function broughtIntoForce(options: FileKeysOptions): Promise<InForce> {
  const { folder, log } = options;
  return folder.locked(async () => {
    for (;;) {
      const { keys, now, mark } = await settleOne(options);
      const isDone = pendingKeys(keys).length === 0 && dueStep(keys, options.times, now) === undefined;
      if (!isDone) continue;
      await folder.keepPrivate(keys.filter(({ state }) => state !== 'retired').map(({ kid }) => kid));
      const active = signingKey(keys);
      const signer = active && { kid: active.kid, sign: await signerOf(folder, active.kid) };
      const published = publishedKeys(keys).map(({ jwk }) => jwk);
      log.info({ room: 'issuer', active: active?.kid, published: published.map(({ kid }) => kid) }, 'keys in force');
      return { keys, published, signer, mark, version: await folder.version() };
    }
  });
}

async function settleOne({ times, audited, ...ground }: FileKeysOptions): Promise<KeyList> {
  const { keys } = await changeKeys(ground, (list) => decided(list, times, ground));
  const signs = keys.find(({ state }) => state === 'active');
  // Before anything is on record: without its private part the key can be nothing.
  if (signs && signs.inForce !== 'active') await signerOf(ground.folder, signs.kid);
  for (const { kid, state } of pendingKeys(keys)) await audited(kid, TRANSITIONS[state]);
  return changeKeys(ground, (list) => (pendingKeys(list.keys).length > 0 ? settled(list.keys, list.now) : list.keys));
}

/** What was decided comes first; then what is due. */
async function decided({ keys, now }: KeyList, times: KeyTimes, ground: KeyGround): Promise<readonly IssuerKey[]> {
  if (pendingKeys(keys).length > 0) return succeeded(keys, () => storedKey(ground), now);
  const due = dueStep(keys, times, now);
  if (due === undefined) return keys;
  return due === 'prepare' ? withNewKey(keys, await storedKey(ground), now) : due.change;
}

async function signerOf(folder: KeyFolder, kid: string): Promise<RsaSign> {
  try {
    return await rsaSign(await folder.readPrivate(kid), kid);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new PlumblineError('ERR_FILE_UNREADABLE', `Cannot use a key of ${folder.holder.name}: ${why}`, {
      cause,
      remedy: `Remove it at once: plumbline issuer retire ${kid} --now${folder.holder.option} --config FILE. A new one signs then.`,
    });
  }
}
