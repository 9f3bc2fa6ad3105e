import type { IssuerHealth } from '../auth/authenticator.ts';

/** One thing that must work. `detail` says what is wrong, or what is to be known. */
export interface ReadinessCheck {
  readonly name:
    | 'recovery'
    | 'audit'
    | 'store'
    | 'policy'
    | 'issuers'
    | 'issuer'
    | 'airflow'
    | 'azureDevOps'
    | 'luigid'
    | 'isolation';
  readonly state: 'ok' | 'warning' | 'failed';
  readonly detail?: string | undefined;
}

export interface ReadinessReport {
  /** No check failed: requests are served. */
  readonly ready: boolean;
  readonly checks: readonly ReadinessCheck[];
  readonly issuers: readonly IssuerHealth[];
}

/** Whether requests are served, and what is wrong. */
export interface Readiness {
  report(): Promise<ReadinessReport>;
  /** Requests are refused until runs of before are recovered. */
  readonly serving: boolean;
  /** No further request is begun. */
  readonly stopping: boolean;
}
