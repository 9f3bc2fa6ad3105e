import type { AuditEvent } from './audit-log.ts';
import type { TornBytes } from './chain-start.ts';

/** What the log has to tell about itself with its next record: a crash, records that were refused, bytes that are no record. */
export class Outage {
  readonly #torn: TornBytes[];
  readonly #missing: { readonly from: number; readonly to: number } | undefined;
  readonly #changes = new Set<string>();
  #since: number | undefined;
  #problem: string | undefined;
  #refused = 0;

  constructor(found: { torn?: readonly TornBytes[]; missing?: { from: number; to: number } | undefined } = {}) {
    this.#torn = [...(found.torn ?? [])];
    this.#missing = found.missing;
  }

  /** Why records are refused now; `undefined` when they are not. */
  get problem(): string | undefined {
    return this.#problem;
  }

  failed(problem: string, at: number, refused: number): void {
    this.#problem = problem;
    this.#since ??= at;
    this.#refused += refused;
  }

  /** Somebody else wrote, replaced or removed a file. */
  changed(what: string): void {
    if (this.#changes.size < 10) this.#changes.add(what);
  }

  event(now: number): AuditEvent {
    const gap =
      this.#since === undefined
        ? {}
        : { since: new Date(this.#since).toISOString(), until: new Date(now).toISOString() };
    return {
      type: 'dev.plumbline.audit.recovered',
      data: {
        ...gap,
        problem: this.#problem,
        refused: this.#refused,
        changes: [...this.#changes],
        torn: this.#torn.map((torn) => ({ ...torn })),
        missing: this.#missing && { ...this.#missing },
      },
    };
  }
}
