import type { Binding } from './binding.ts';
import type { RunPermission } from './policy.ts';
import type { DecisionReason } from './policy-answer.ts';
import type { Check } from './role-checks.ts';

/** What a binding can give, by the name of its list in the file. */
export type AccessKind = 'roles' | 'airflow' | 'pipelines';

/** Who asks, and what speaks for them. */
export type Asker = Pick<RunPermission, 'caller' | 'evidence'>;

/** One thing that bindings can give and that would answer what is asked: a role, or a grant. */
export interface Candidate {
  readonly kind: AccessKind;
  readonly name: string;
  /** Whether a binding in report mode lets pass what only enforcement refuses. */
  readonly isReportable: boolean;
  /** What holds in every mode, beside who the caller is. */
  everyModeChecks(binding: Binding): Iterable<Check>;
  /** What can be let pass by `mode: report`. */
  checks(): Iterable<Check>;
}

/** A request as the decision sees it, the same for runs, tokens and pipelines. */
export interface Question<Found extends Candidate = Candidate> {
  readonly asker: Asker;
  /** In the order of the file; none: what is asked for is not in the policy. */
  readonly candidates: readonly Found[];
  /** The reason when there is none. */
  readonly unknown: DecisionReason;
  /** e.g. `role`: what no binding gives. */
  readonly field: string;
}
