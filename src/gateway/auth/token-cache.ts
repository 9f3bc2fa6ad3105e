/** What a cached value says about how long it holds. */
export interface Perishable {
  /** Milliseconds since the epoch; from then on it is verified again. */
  readonly until: number;
}

/**
 * Tokens that were verified a moment ago, under the SHA-256 of the whole token: nothing shorter names a token. Only good
 * ones are kept, at most `capacity`; the one that was not used for longest goes first.
 */
export class TokenCache<Value extends Perishable> {
  readonly #capacity: number;
  readonly #values = new Map<string, Value>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#values.size;
  }

  get(key: string, now: number): Value | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    this.#values.delete(key);
    if (now >= value.until) return undefined;
    this.#values.set(key, value);
    return value;
  }

  set(key: string, value: Value): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size <= this.#capacity) return;
    const [oldest] = this.#values.keys();
    if (oldest !== undefined) this.#values.delete(oldest);
  }

  delete(key: string): void {
    this.#values.delete(key);
  }

  clear(): void {
    this.#values.clear();
  }
}
