import type { Clock } from '#core/clock.ts';
import type { Logger } from '#core/logger.ts';
import type { Http } from '#http/http.ts';
import type { IssuerHealth } from './authenticator.ts';
import { type FetchLimits, fetchKeys } from './fetch-keys.ts';
import type { IssuerSettings } from './issuer-settings.ts';
import { refused } from './token-refused.ts';
import { importKeys, type VerificationKey, type VerificationKeys } from './verification-key.ts';

export interface KeyLimits extends FetchLimits {
  /** Between two fetches while they succeed. @default 10 minutes */
  readonly refreshMs: number;
  /** How long keys serve that cannot be fetched again. @default 24 hours */
  readonly staleMs: number;
  /** Between two fetches because a token names a key that is not known. @default 15 s */
  readonly coolDownMs: number;
}

export const KEY_LIMITS: KeyLimits = {
  timeoutMs: 5_000,
  maxBodyBytes: 512 * 1024,
  refreshMs: 10 * 60_000,
  staleMs: 24 * 60 * 60_000,
  coolDownMs: 15_000,
};

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

/** The keys of one name, and the set that they were found in. */
export interface FoundKeys {
  readonly keys: readonly VerificationKey[];
  /** As {@link IssuerKeys.version} was when they were found. */
  readonly version: number;
}

export interface KeyCollaborators {
  readonly http: Http;
  readonly clock: Clock;
  readonly log?: Pick<Logger, 'info' | 'debug'> | undefined;
  readonly limits: KeyLimits;
}

/**
 * The keys of one issuer, fetched again in the background for as long as it is open. A token with a known key never waits
 * for the network; only before the first answer, and for a key that nobody knows, does a token wait for the one fetch that
 * is under way. What happens here concerns no other issuer.
 */
export class IssuerKeys {
  readonly #settings: IssuerSettings;
  readonly #with: KeyCollaborators;
  readonly #closing = new AbortController();
  #keys: VerificationKeys | undefined;
  #since: number | undefined;
  #triedAt = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #lastError: string | undefined;
  #version = 0;
  #fetching: Promise<void> | undefined;

  constructor(settings: IssuerSettings, collaborators: KeyCollaborators) {
    this.#settings = settings;
    this.#with = collaborators;
  }

  /** Begins to fetch. Returns at once. */
  open(): void {
    const ended = this.#settings.jwks === undefined ? this.#keepFresh() : this.#fetch();
    ended.catch(() => {});
  }

  close(): void {
    this.#closing.abort();
  }

  /** Another number for another set of keys; negative while there is none. */
  get version(): number {
    return this.#usable() === undefined ? -1 : this.#version;
  }

  /**
   * The keys of this name, none when the issuer has no such key.
   *
   * @throws {PlumblineError} `ERR_ISSUER_UNAVAILABLE` when there are no keys, or none of this name and the issuer cannot be
   *   asked whether there is a new one.
   */
  async find(kid: string): Promise<FoundKeys> {
    if (this.#since === undefined && this.#failures === 0) await this.#fetch();
    if (!this.#known().has(kid) && this.#mayAskAgain()) await this.#fetch();
    const keys = this.#known().get(kid) ?? [];
    // While the issuer cannot be asked, a key that is not known may be its newest one.
    if (keys.length === 0 && this.#failures > 0) throw refused('keys', { issuer: this.#settings.name });
    return { keys, version: this.#version };
  }

  health(): IssuerHealth {
    return { name: this.#settings.name, keys: this.#state(), keysSince: this.#since, lastError: this.#lastError };
  }

  #state(): IssuerHealth['keys'] {
    if (this.#usable() !== undefined) return this.#failures === 0 ? 'fresh' : 'stale';
    return this.#failures === 0 && this.#since === undefined ? 'unused' : 'unavailable';
  }

  #usable(): VerificationKeys | undefined {
    if (this.#settings.jwks !== undefined || this.#since === undefined) return this.#keys;
    const { clock, limits } = this.#with;
    return clock.now() - this.#since < limits.staleMs ? this.#keys : undefined;
  }

  #known(): VerificationKeys {
    const keys = this.#usable();
    if (keys === undefined) throw refused('keys', { issuer: this.#settings.name });
    return keys;
  }

  #mayAskAgain(): boolean {
    if (this.#settings.jwks !== undefined) return false;
    return this.#fetching !== undefined || this.#with.clock.now() - this.#triedAt >= this.#with.limits.coolDownMs;
  }

  async #keepFresh(): Promise<void> {
    const { clock, limits } = this.#with;
    while (!this.#closing.signal.aborted) {
      await this.#fetch();
      const pause = Math.min(FIRST_PAUSE_MS * 2 ** (this.#failures - 1), LONGEST_PAUSE_MS);
      await clock.sleep(this.#failures === 0 ? limits.refreshMs : pause, this.#closing.signal);
    }
  }

  /** One at a time; whoever comes while it is under way gets the same one. Never rejects. */
  #fetch(): Promise<void> {
    this.#fetching ??= this.#fetchOnce().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #fetchOnce(): Promise<void> {
    const { http, clock, limits } = this.#with;
    const { jwks } = this.#settings;
    this.#triedAt = clock.now();
    try {
      const keys = jwks ? await importKeys(jwks, this.#settings) : await this.#fetched(http, limits);
      this.#succeeded(keys);
    } catch (thrown) {
      if (!this.#closing.signal.aborted) this.#failed(thrown);
    }
  }

  #fetched(http: Http, limits: KeyLimits): Promise<VerificationKeys> {
    const { timeoutMs, maxBodyBytes } = limits;
    return fetchKeys(this.#settings, http, { timeoutMs, maxBodyBytes }, this.#closing.signal);
  }

  #succeeded(keys: VerificationKeys): void {
    if (this.#failures > 0) this.#say('were fetched again');
    this.#keys = keys;
    this.#since = this.#with.clock.now();
    this.#failures = 0;
    this.#lastError = undefined;
    this.#version += 1;
  }

  #failed(thrown: unknown): void {
    this.#lastError = thrown instanceof Error ? thrown.message : 'the keys could not be fetched';
    this.#failures += 1;
    if (this.#failures === 1) this.#say(`could not be fetched: ${this.#lastError}`);
  }

  #say(what: string): void {
    this.#with.log?.info(`Keys of issuer '${this.#settings.name}' ${what}`);
  }
}
