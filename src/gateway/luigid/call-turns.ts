import { Problem } from '../app/problem.ts';

/** luigid answers one call after the other: enough that it never waits for the next, and little to wait for by others. */
const MOST_AT_ONCE = 8;
const MOST_WAITING = 1_000;

interface Line {
  running: number;
  readonly waiting: (() => void)[];
}

/**
 * Calls of one role, or of one person, that luigid has at the same time. What is more waits here, so that whoever makes luigid slow
 * stands in his own line and not in front of everybody.
 */
export class CallTurns {
  readonly #lines = new Map<string, Line>();

  /** Resolves when it is this call's turn, with what ends it. @throws {Problem} `overloaded` */
  async take(who: string): Promise<() => void> {
    const line = this.#lines.get(who) ?? { running: 0, waiting: [] };
    this.#lines.set(who, line);
    if (line.running < MOST_AT_ONCE) line.running += 1;
    else await waited(line);
    return () => this.#end(who, line);
  }

  /** Its place is that of the next one who waits. */
  #end(who: string, line: Line): void {
    const next = line.waiting.shift();
    if (next === undefined) line.running -= 1;
    else next();
    if (line.running === 0) this.#lines.delete(who);
  }
}

function waited({ waiting }: Line): Promise<void> {
  if (waiting.length < MOST_WAITING) return new Promise((resolve) => waiting.push(resolve));
  const headers = { 'retry-after': '5' };
  throw new Problem('overloaded', 'Too many calls of this role wait for luigid', { headers });
}
