import type { Clock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import type { Sight } from './watch-run.ts';

/** What is heard of a run, one by one, for somebody who has other things to do at certain times. */
export class SightQueue {
  readonly #sights: AsyncIterator<Sight>;
  readonly #clock: Clock;
  #pending: Promise<Sight> | undefined;

  constructor(sights: AsyncIterable<Sight>, clock: Clock) {
    this.#sights = sights[Symbol.asyncIterator]();
    this.#clock = clock;
  }

  /**
   * What is heard next; `undefined` when it is `dueAt` before that. Then nothing is lost, the next call gives it.
   * @param dueAt milliseconds since the epoch; `undefined`: never
   */
  async next(dueAt: number | undefined): Promise<Sight | undefined> {
    this.#pending ??= this.#heard();
    // A server that never stops talking keeps nobody from it.
    if (dueAt !== undefined && dueAt <= this.#clock.now()) return undefined;
    if (dueAt === undefined) return this.#taken(await this.#pending);
    const off = new AbortController();
    try {
      const alarm = this.#clock.sleep(Math.max(0, dueAt - this.#clock.now()), off.signal).catch(() => undefined);
      const sight = await Promise.race([this.#pending, alarm]);
      return sight ? this.#taken(sight) : undefined;
    } finally {
      off.abort();
    }
  }

  #taken(sight: Sight): Sight {
    this.#pending = undefined;
    return sight;
  }

  /** A refusal is something heard too: what it means depends on what was heard before. */
  async #heard(): Promise<Sight> {
    try {
      const { value, done } = await this.#sights.next();
      if (done) throw new TypeError('The watch over a run ended by itself.');
      return value;
    } catch (thrown) {
      if (thrown instanceof PlumblineError) return { kind: 'refused', error: thrown };
      throw thrown;
    }
  }
}
