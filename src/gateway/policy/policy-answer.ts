/** One step of the way to a decision, for `policy explain` and the audit: never a parameter's value. */
export interface DecisionReason {
  /** Stable, e.g. `no-binding`, `deny-rule`, `claim-mismatch`, `module`, `parameter`, `require-ref-protected`, `outside-period`. */
  readonly reason: string;
  /** Name of the binding or deny rule. */
  readonly rule?: string | undefined;
  /** e.g. `claim prj_id`, `parameter date`. */
  readonly field?: string | undefined;
}

/** What the policy answers, whatever it is asked for. Default deny; a deny rule wins over every binding. */
export interface PolicyAnswer {
  /** What holds: with `mode: report` a binding's refusal lets the run pass. */
  readonly allowed: boolean;
  /** What enforcement says, also where it only reports. */
  readonly wouldAllow: boolean;
  readonly mode: 'report' | 'enforce';
  readonly binding?: string | undefined;
  readonly reasons: readonly DecisionReason[];
  /** SHA-256 of the policy's bytes, hexadecimal. */
  readonly policy: string;
  /** Milliseconds since the epoch; the binding's `until`, after which the permission is gone. */
  readonly until?: number | undefined;
}
