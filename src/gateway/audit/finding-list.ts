import type { AuditFinding, AuditFindingKind } from './audit-verification.ts';

const MOST = 1_000;

/** Where something was found. */
export type FindingPlace = Pick<AuditFinding, 'file' | 'line' | 'sequence'>;

/** Findings of a verification: a log of any size has a list of bounded size. */
export class FindingList {
  readonly kept: AuditFinding[] = [];
  omitted = 0;
  errors = 0;

  error(kind: AuditFindingKind, message: string, place: FindingPlace = {}): void {
    this.errors += 1;
    this.#add({ kind, severity: 'error', message, ...place });
  }

  warning(kind: AuditFindingKind, message: string, place: FindingPlace = {}): void {
    this.#add({ kind, severity: 'warning', message, ...place });
  }

  #add(finding: AuditFinding): void {
    if (this.kept.length < MOST) this.kept.push(finding);
    else this.omitted += 1;
  }
}
