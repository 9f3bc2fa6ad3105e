import type { JsonValue } from '#core/json.ts';
import type { RunOutcome, RunState } from '#core/run.ts';

/** What a caller asks for: body of `POST /v1/runs`. */
export interface RunSpecification {
  readonly role: string;
  readonly module: string;
  readonly task: string;
  readonly parameters: Readonly<Record<string, JsonValue>>;
  readonly workers: number;
  readonly timeoutMs?: number | undefined;
  /** Which attempt of the caller's step asks; see "same run, once". */
  readonly attempt: string;
  /** SHA-256 of an uploaded bundle, hexadecimal; only for a role whose code is one. */
  readonly bundle?: string | undefined;
  /** What the caller says about itself and no token signs. Recorded as `claimed`. */
  readonly claimed: Readonly<Record<string, string>>;
}

export interface CodeFacts {
  readonly kind: 'installed' | 'wheel' | 'bundle';
  /** `sha256:…` of the wheel or bundle; of an installed environment what its marker says. */
  readonly digest?: string | undefined;
  readonly version?: string | undefined;
  readonly commit?: string | undefined;
  /** `signed` by the caller's token, from the role's own `marker`, or only `claimed`. */
  readonly commitProof?: 'signed' | 'marker' | 'claimed' | undefined;
}

export interface SecretFact {
  readonly vault: string;
  readonly name: string;
  readonly version: string;
  readonly target: string;
}

/** A run as the gateway keeps it. Times are milliseconds since the epoch. */
export interface RunRecord {
  /** UUID of version 7. */
  readonly id: string;
  /** The caller's `Idempotency-Key`. */
  readonly key: string;
  /** `Caller.scope` of whoever created it. */
  readonly scope: string;
  readonly specification: RunSpecification;
  /** SHA-256 of the canonical specification: the same key with another one is refused. */
  readonly fingerprint: string;
  readonly state: RunState;
  /** Counts starts of a worker, from 1; 0 while queued. */
  readonly attempt: number;
  readonly createdAt: number;
  readonly startedAt?: number | undefined;
  readonly endedAt?: number | undefined;
  readonly stopRequested?: 'cancelled' | 'deadline' | undefined;
  readonly caller: Readonly<Record<string, JsonValue>>;
  readonly decision: {
    readonly policy: string;
    readonly binding?: string;
    readonly mode: string;
    readonly wouldAllow: boolean;
  };
  readonly isolation: 'user' | 'none';
  readonly code?: CodeFacts | undefined;
  readonly secrets: readonly SecretFact[];
  /** Without `tasks`: those are in the events. */
  readonly outcome?: Omit<RunOutcome, 'tasks'> | undefined;
}
