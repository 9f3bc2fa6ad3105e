import type { QueueHead } from './run-store.ts';

/** How many may run at the same time. */
export interface RunningLimits {
  readonly total: number;
  /** Of a role; a role that the policy no longer has gets its turn, to be refused. */
  ofRole(role: string): number;
}

/**
 * Whose turn it is: roles in turn, and within a role its callers in turn, so that neither a role nor a caller with many
 * waiting runs holds up another. A caller's own runs start in the order of their creation.
 */
export class FairTurn {
  #turns = 0;
  /** When a role or a caller of a role last had its turn; not yet: 0. */
  readonly #last = new Map<string, number>();

  /**
   * The run to start next, or `undefined` when none may start now.
   *
   * @param running how many run now, by role
   */
  next(
    heads: readonly QueueHead[],
    running: ReadonlyMap<string, number>,
    limits: RunningLimits,
  ): QueueHead | undefined {
    const total = [...running.values()].reduce((sum, count) => sum + count, 0);
    if (total >= limits.total) return undefined;
    const free = heads.filter(({ role }) => (running.get(role) ?? 0) < limits.ofRole(role));
    return free.toSorted((a, b) => this.#order(a, b))[0];
  }

  /** It had its turn, whatever came of it. */
  taken({ role, scope }: QueueHead, heads: readonly QueueHead[]): void {
    this.#turns += 1;
    this.#last.set(roleKey(role), this.#turns);
    this.#last.set(callerKey(role, scope), this.#turns);
    if (this.#last.size > 4 * heads.length + 1_000) this.#forget(heads);
  }

  #order(a: QueueHead, b: QueueHead): number {
    const byRole = this.#lastOf(roleKey(a.role)) - this.#lastOf(roleKey(b.role));
    if (byRole !== 0) return byRole;
    const byCaller = this.#lastOf(callerKey(a.role, a.scope)) - this.#lastOf(callerKey(b.role, b.scope));
    return byCaller !== 0 ? byCaller : a.id < b.id ? -1 : 1;
  }

  #lastOf(key: string): number {
    return this.#last.get(key) ?? 0;
  }

  /** Callers come and go: whoever waits for nothing begins anew when it comes back. */
  #forget(heads: readonly QueueHead[]): void {
    const waiting = new Set(heads.flatMap(({ role, scope }) => [roleKey(role), callerKey(role, scope)]));
    for (const key of this.#last.keys()) if (!waiting.has(key)) this.#last.delete(key);
  }
}

function roleKey(role: string): string {
  return JSON.stringify([role]);
}

function callerKey(role: string, scope: string): string {
  return JSON.stringify([role, scope]);
}
