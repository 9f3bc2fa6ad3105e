import { type Clock, systemClock } from '#core/clock.ts';
import type { VerifiedToken } from '../auth/caller.ts';
import type { TokenLedger, TokenUsage } from '../auth/token-ledger.ts';
import type { Store, StoreTransaction } from './store.ts';

/** Clocks may differ by this much: a token is remembered so much longer than it lives. */
const CLOCK_TOLERANCE_MS = 5 * 60_000;
const SWEEP_EVERY = 256;

/** The ledger in the store: it holds across restarts. */
export class StoredTokenLedger implements TokenLedger {
  readonly #store: Store;
  readonly #clock: Clock;
  #uses = 0;

  constructor(store: Store, clock: Clock = systemClock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** @throws {PlumblineError} `ERR_STORE_UNAVAILABLE`; then the request must be refused. */
  use({ iss, tokenId, expiresAt }: VerifiedToken, fingerprint: string): Promise<TokenUsage> {
    return this.#store.transaction(async (transaction) => {
      if (this.#uses++ % SWEEP_EVERY === 0) await this.#forgetExpired(transaction);
      const known = await transaction
        .selectFrom('used_tokens')
        .select('fingerprint')
        .where('issuer', '=', iss)
        .where('token_id', '=', tokenId)
        .executeTakeFirst();
      if (known) return known.fingerprint === fingerprint ? 'same' : 'replayed';
      const row = { issuer: iss, token_id: tokenId, fingerprint, expires_at: expiresAt };
      await transaction.insertInto('used_tokens').values(row).execute();
      return 'first';
    });
  }

  async #forgetExpired(transaction: StoreTransaction): Promise<void> {
    const past = this.#clock.now() - CLOCK_TOLERANCE_MS;
    await transaction.deleteFrom('used_tokens').where('expires_at', '<', past).execute();
  }
}
