/** luigid forgets a worker that says nothing a minute later, and looks once a minute. */
const LIFE_MS = 120_000;
/** Of a role beyond those that it was given: those with a suffix, as of a luigi that a task starts. */
const MOST_OF_ROLE = 256;
/** Of all who bring nothing. */
const MOST_OF_NOBODY = 1_024;

/**
 * Names under which callers work that they chose themselves. luigid keeps each as a worker, and its time to forget some grows with
 * workers times tasks: ten thousand names cost it a minute. From some hundreds on for one task it cannot write down its state.
 */
export class WorkerNames {
  readonly #now: () => number;
  /** By whose they are, in the order of their last use. */
  readonly #alive = new Map<string, Map<string, number>>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** @param role `undefined`: of those who bring nothing. @returns `false`: one more than luigid is told of */
  admit(role: string | undefined, name: string): boolean {
    const now = this.#now();
    const whose = role === undefined ? '' : `role ${role}`;
    const alive = this.#alive.get(whose) ?? new Map<string, number>();
    this.#alive.set(whose, alive);
    for (const [old, usedAt] of alive) {
      if (now - usedAt < LIFE_MS) break;
      alive.delete(old);
    }
    const isKnown = alive.delete(name);
    if (!isKnown && alive.size >= (role === undefined ? MOST_OF_NOBODY : MOST_OF_ROLE)) return false;
    alive.set(name, now);
    return true;
  }
}
