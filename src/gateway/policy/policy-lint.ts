import type { FieldPath, FileProblem } from '../config/yaml-source.ts';
import type { PolicyParts } from './policy-parts.ts';

/** `high`: it opens more than it seems to; `medium`: it can become that; `low`: it is of no use, or to be remembered. */
export type LintSeverity = 'high' | 'medium' | 'low';

/** Something that a policy may say and should not. */
export interface PolicyLint extends FileProblem {
  /** Stable, e.g. `mutable-name`; docs/gateway/policy.md lists them. */
  readonly rule: string;
  readonly severity: LintSeverity;
  /** One sentence. */
  readonly remedy: string;
}

export interface Finding {
  readonly rule: string;
  readonly severity: LintSeverity;
  readonly path: FieldPath;
  readonly message: string;
  readonly remedy: string;
}

export type LintRule = (parts: PolicyParts, now: number) => readonly Finding[];
