const MINUTE = 60_000;
const MAX_ADDRESSES = 20_000;

/** How many requests of an address were turned away in this minute. */
export class AttemptsPerAddress {
  readonly #most: number;
  readonly #counts = new Map<string, number>();
  #minute = Number.NaN;

  constructor(most: number) {
    this.#most = most;
  }

  /** Counts one; `true`: these are too many. */
  add(address: string, now: number): boolean {
    const minute = Math.floor(now / MINUTE);
    if (minute !== this.#minute || this.#counts.size >= MAX_ADDRESSES) this.#counts.clear();
    this.#minute = minute;
    const count = (this.#counts.get(address) ?? 0) + 1;
    this.#counts.set(address, count);
    return count > this.#most;
  }
}
