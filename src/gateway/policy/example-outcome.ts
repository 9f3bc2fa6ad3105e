import type { DecisionReason } from './policy-answer.ts';

/** What came out of an example, and whether that is what it says. */
export interface ExampleOutcome {
  readonly passed: boolean;
  /** e.g. `refused: claim-mismatch (claim project_id)`. */
  readonly outcome: string;
  readonly reasons: readonly DecisionReason[];
}

export function inWords(reasons: readonly DecisionReason[]): string {
  return reasons.map(({ reason, field }) => (field === undefined ? reason : `${reason} (${field})`)).join(', ');
}
