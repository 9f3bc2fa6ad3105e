/** Runs `work` for `who` at `place` when it is its turn. */
export type InTurn = <T>(place: string, who: string, work: () => Promise<T>) => Promise<T>;

/**
 * At each place so many work at the same time, whatever goes on at others. Those who wait there take turns, so that nobody waits for
 * all that another has to do; what one has to do is done in the order in which it came.
 */
export function turnsOfEach(limit: number): InTurn {
  const places = new Map<string, Place>();
  return async (name, who, work) => {
    const place = places.get(name) ?? new Place(limit);
    places.set(name, place);
    await place.enter(who);
    try {
      return await work();
    } finally {
      place.leave();
    }
  };
}

class Place {
  #free: number;
  /** Whoever had a turn comes last. */
  readonly #waiting = new Map<string, (() => void)[]>();

  constructor(limit: number) {
    this.#free = limit;
  }

  async enter(who: string): Promise<void> {
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    const turns = this.#waiting.get(who) ?? [];
    this.#waiting.set(who, turns);
    await new Promise<void>((resolve) => turns.push(resolve));
  }

  leave(): void {
    const [next] = this.#waiting;
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    const [who, turns] = next;
    this.#waiting.delete(who);
    const turn = turns.shift();
    if (turns.length > 0) this.#waiting.set(who, turns);
    // It takes the place over.
    turn?.();
  }
}
