import type { Clock } from '#core/clock.ts';
import { asPlumblineError } from '#core/errors.ts';
import type { KeyLog } from '../issuer/file-keys.ts';
import { issuerUnavailable } from '../issuer/issuer-unavailable.ts';
import type { Signature, SigningKeys } from '../issuer/signing-keys.ts';
import type { PublicKey } from '../issuer/token-issuer.ts';

const TRY_EVERY_MS = 5_000;

/**
 * Keys that may not be there yet: what hinders them is a `problem()` and is tried again, so that one Airflow's keys keep nobody else's
 * gateway from starting.
 */
export class OpeningKeys implements SigningKeys {
  readonly #closing = new AbortController();
  #keys: SigningKeys | undefined;
  #trouble = 'the keys are being opened';
  #trying: Promise<void> | undefined;

  /** Tries once. */
  static async open(
    open: () => Promise<SigningKeys>,
    { clock, log }: { readonly clock: Clock; readonly log: KeyLog },
  ): Promise<OpeningKeys> {
    const keys = new OpeningKeys();
    const tryOnce = async () => {
      try {
        keys.#keys = await open();
      } catch (thrown) {
        const { code, message } = asPlumblineError(thrown);
        if (message !== keys.#trouble) log.error({ room: 'airflow', code }, message);
        keys.#trouble = message;
      }
    };
    await tryOnce();
    keys.#trying = keys.#keepTrying(tryOnce, clock);
    return keys;
  }

  published(): readonly PublicKey[] {
    return this.#keys?.published() ?? [];
  }

  async sign(textOf: (kid: string) => string): Promise<Signature> {
    if (this.#keys === undefined) throw issuerUnavailable(this.#trouble);
    return this.#keys.sign(textOf);
  }

  problem(): string | undefined {
    return this.#keys === undefined ? this.#trouble : this.#keys.problem();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#trying;
    await this.#keys?.close();
  }

  async #keepTrying(tryOnce: () => Promise<void>, clock: Clock): Promise<void> {
    const { signal } = this.#closing;
    while (this.#keys === undefined && !signal.aborted) {
      await clock.sleep(TRY_EVERY_MS, signal).catch(() => undefined);
      if (!signal.aborted) await tryOnce();
    }
  }
}
