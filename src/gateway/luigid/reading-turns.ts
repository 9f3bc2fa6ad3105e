import { Problem } from '../app/problem.ts';

/** So much may be read at once after a time of rest: a page of luigid is a dozen calls. */
const BURST_MS = 3_000;
/** Beyond that, for others than those who have just read. */
const RESERVE_MS = 1_500;

interface Waiting {
  readonly who: string;
  readonly begin: () => void;
  readonly fail: (problem: Problem) => void;
}

/**
 * One reading of luigid after the other, and in the long run no more of its time than a share. Whoever has used least of it lately
 * is next, and those who used much leave a reserve: nobody keeps others from reading with what takes long.
 */
export class ReadingTurns {
  readonly #share: number;
  readonly #now: () => number;
  readonly #waiting: Waiting[] = [];
  /** Milliseconds of luigid's time by who used them; they wear off as the credit comes back. */
  readonly #used = new Map<string, number>();
  /** Milliseconds of luigid's time that may be used now; negative after a reading that took more. */
  #credit = BURST_MS + RESERVE_MS;
  #at: number;
  #isBusy = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(share: number, now: () => number) {
    this.#share = share;
    this.#now = now;
    this.#at = now();
  }

  /** @throws {Problem} `overloaded` when this is closed before it is its turn */
  async inTurn<T>(who: string, read: () => Promise<T>): Promise<T> {
    await new Promise<void>((begin, fail) => {
      this.#waiting.push({ who, begin, fail });
      this.#next();
    });
    const began = this.#now();
    try {
      return await read();
    } finally {
      const took = this.#now() - began;
      this.#credit -= took;
      this.#used.set(who, this.#usedBy(who) + took);
      this.#isBusy = false;
      this.#next();
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const { fail } of this.#waiting.splice(0))
      fail(new Problem('overloaded', 'The gateway is stopping', { headers: { 'retry-after': '5' } }));
  }

  #next(): void {
    clearTimeout(this.#timer);
    if (this.#isBusy || this.#waiting.length === 0) return;
    this.#refill();
    const [first] = this.#waiting.toSorted((a, b) => this.#usedBy(a.who) - this.#usedBy(b.who));
    if (first === undefined) return;
    const missing = Math.min(RESERVE_MS, this.#usedBy(first.who)) - this.#credit;
    if (missing >= 0) {
      this.#timer = setTimeout(() => this.#next(), missing / this.#share + 1);
      return;
    }
    this.#waiting.splice(this.#waiting.indexOf(first), 1);
    this.#isBusy = true;
    first.begin();
  }

  #refill(): void {
    const now = this.#now();
    const back = (now - this.#at) * this.#share;
    this.#at = now;
    this.#credit = Math.min(BURST_MS + RESERVE_MS, this.#credit + back);
    for (const [who, used] of this.#used) {
      if (used > back) this.#used.set(who, used - back);
      else this.#used.delete(who);
    }
  }

  #usedBy(who: string): number {
    return this.#used.get(who) ?? 0;
  }
}
