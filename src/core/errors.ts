/**
 * Every stable error code of Plumbline with the family it belongs to.
 *
 * The family says who must act and how a step ends:
 * - `configuration`: the author of the pipeline; the step fails with a remedy.
 * - `transient`: nobody at first, it is retried; then an operator.
 * - `run`: the owner of the workflow.
 * - `publish`: after a good run the step ends SucceededWithIssues.
 * - `internal`: us; the message asks for an issue.
 *
 * Each code has a section in docs/errors.md, held by test/architecture/errors-documented.test.ts.
 */
export const ERROR_FAMILIES = {
  ERR_INPUT_INVALID: 'configuration',
  ERR_CONFIG_INVALID: 'configuration',
  ERR_POLICY_INVALID: 'configuration',
  ERR_FILE_UNREADABLE: 'configuration',
  ERR_PLATFORM_UNSUPPORTED: 'configuration',
  ERR_PYTHON_NOT_FOUND: 'configuration',
  ERR_PYTHON_UNSUPPORTED: 'configuration',
  ERR_LUIGI_NOT_FOUND: 'configuration',
  ERR_LUIGI_UNSUPPORTED: 'configuration',
  ERR_MODULE_IMPORT: 'configuration',
  ERR_TASK_UNKNOWN: 'configuration',
  ERR_PARAMETER_INVALID: 'configuration',
  ERR_SECRET_PARAMETER_PUBLIC: 'configuration',
  ERR_SCHEDULER_UNREACHABLE: 'configuration',
  ERR_CONNECTION_UNSUPPORTED: 'configuration',
  ERR_CONNECTION_STORED_SECRET: 'configuration',
  ERR_IDENTITY_OIDC_UNAVAILABLE: 'configuration',
  ERR_IDENTITY_REJECTED: 'configuration',
  ERR_IDENTITY_HOST_NOT_ALLOWED: 'configuration',
  ERR_SECRET_NOT_FOUND: 'configuration',
  ERR_SECRET_FORBIDDEN: 'configuration',
  ERR_SECRET_DISABLED: 'configuration',
  ERR_SECRET_NOT_YET_VALID: 'configuration',
  ERR_SECRET_UNUSABLE: 'configuration',
  ERR_VAULT_THROTTLED: 'transient',
  ERR_VAULT_UNREACHABLE: 'transient',
  ERR_HTTP_NETWORK: 'transient',
  ERR_HTTP_TIMEOUT: 'transient',
  ERR_HTTP_STATUS: 'transient',
  ERR_HTTP_BODY: 'internal',
  ERR_GATEWAY_REFUSED: 'configuration',
  ERR_GATEWAY_PROTOCOL: 'configuration',
  ERR_GATEWAY_UNAVAILABLE: 'transient',
  ERR_AIRFLOW_REFUSED: 'configuration',
  ERR_AIRFLOW_PROTOCOL: 'configuration',
  ERR_AIRFLOW_UNSUPPORTED: 'configuration',
  ERR_AIRFLOW_UNAVAILABLE: 'transient',
  ERR_AIRFLOW_CONFLICT: 'configuration',
  ERR_DAG_NOT_FOUND: 'configuration',
  ERR_DAG_PAUSED: 'configuration',
  ERR_DAG_STALE: 'configuration',
  ERR_DAG_IMPORT: 'configuration',
  ERR_DAG_CONF_INVALID: 'configuration',
  ERR_DAG_VERSION_UNSUPPORTED: 'configuration',
  ERR_DAG_VERSION_MISSING: 'configuration',
  ERR_PIPELINE_DENIED: 'configuration',
  ERR_PIPELINE_REFUSED: 'configuration',
  ERR_PIPELINE_UNKNOWN: 'run',
  ERR_TOKEN_MALFORMED: 'configuration',
  ERR_TOKEN_UNTRUSTED: 'configuration',
  ERR_TOKEN_EXPIRED: 'configuration',
  ERR_TOKEN_CLAIMS: 'configuration',
  ERR_ISSUER_INVALID: 'configuration',
  ERR_ISSUER_UNAVAILABLE: 'transient',
  ERR_ISOLATION_UNAVAILABLE: 'configuration',
  ERR_UNIX_USER_INVALID: 'configuration',
  ERR_CODE_REFUSED: 'configuration',
  ERR_CODE_NOT_FOUND: 'configuration',
  ERR_RUN_EXISTS: 'configuration',
  ERR_RUN_FAILED: 'run',
  ERR_RUN_INCOMPLETE: 'run',
  ERR_RUN_MISSING_INPUT: 'run',
  ERR_RUN_NOT_RUN: 'run',
  ERR_RUN_ALREADY_RUNNING: 'run',
  ERR_RUN_SCHEDULING: 'run',
  ERR_RUN_UNVERIFIED: 'run',
  ERR_RUN_DIED: 'run',
  ERR_RUN_STALLED: 'run',
  ERR_RUN_CANCELLED: 'run',
  ERR_RUN_DEADLINE: 'run',
  ERR_RUN_QUEUED: 'run',
  ERR_RUN_TASK_FAILED: 'run',
  ERR_RUN_RESULT_MISSING: 'run',
  ERR_RUN_LOST: 'run',
  ERR_RUN_UNKNOWN: 'configuration',
  ERR_RUN_KEY_REUSED: 'configuration',
  ERR_RUN_DENIED: 'configuration',
  ERR_QUEUE_FULL: 'transient',
  ERR_STORE_UNAVAILABLE: 'transient',
  ERR_STORE_IN_USE: 'configuration',
  ERR_STORE_VERSION: 'configuration',
  ERR_PUBLISH_FAILED: 'publish',
  ERR_AUDIT_UNAVAILABLE: 'transient',
  ERR_AUDIT_IN_USE: 'configuration',
  ERR_WORKER_PROTOCOL: 'internal',
  ERR_UNEXPECTED: 'internal',
} as const;

export type ErrorCode = keyof typeof ERROR_FAMILIES;
export type ErrorFamily = (typeof ERROR_FAMILIES)[ErrorCode];

export interface ErrorFacts {
  /** The one sentence that says how to mend it. */
  readonly remedy?: string | undefined;
  /** Facts as fields; never a secret, never a body over 1 KB. */
  readonly details?: Readonly<Record<string, unknown>> | undefined;
  readonly cause?: unknown;
}

/**
 * The base of every error that Plumbline reports.
 *
 * Message grammar: what failed, for which identifiers, `: `, why. The remedy is a sentence of its own.
 * A caller's own misuse is a `TypeError`, never this.
 */
export class PlumblineError extends Error {
  override readonly name = 'PlumblineError';
  readonly code: ErrorCode;
  readonly remedy: string | undefined;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.remedy = facts.remedy;
    this.details = facts.details ?? {};
  }

  get family(): ErrorFamily {
    return ERROR_FAMILIES[this.code];
  }
}

/** Anything thrown, as an error of ours: what is not ours becomes `ERR_UNEXPECTED` with the original as its cause. */
export function asPlumblineError(thrown: unknown): PlumblineError {
  if (thrown instanceof PlumblineError) return thrown;
  const why = thrown instanceof Error ? thrown.message : String(thrown);
  return new PlumblineError('ERR_UNEXPECTED', `Plumbline stopped on an error it does not know: ${why}`, {
    cause: thrown,
    remedy: 'Please open an issue with the debug log of this step.',
  });
}
