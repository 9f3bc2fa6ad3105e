import { STATUS_CODES } from 'node:http';
import { asPlumblineError, type PlumblineError } from '#core/errors.ts';

/**
 * Every problem that the API answers with, and its status. The codes are stable; each has a section in
 * docs/gateway/problems.md, held by a test.
 */
export const PROBLEMS = {
  'request-malformed': 400,
  'body-malformed': 400,
  'request-invalid': 400,
  'luigid-call-invalid': 400,
  'sign-in-failed': 400,
  'header-ambiguous': 400,
  'idempotency-key-missing': 400,
  'token-missing': 401,
  'token-malformed': 401,
  'token-untrusted': 401,
  'token-expired': 401,
  'token-claims': 401,
  'token-used': 401,
  'worker-unknown': 401,
  'sign-in-needed': 401,
  'run-denied': 403,
  'luigid-denied': 403,
  'airflow-denied': 403,
  'pipeline-denied': 403,
  'viewer-unknown': 403,
  'token-scope': 403,
  'proxy-bypassed': 403,
  'not-found': 404,
  'run-unknown': 404,
  'airflow-unknown': 404,
  'pipeline-run-not-found': 404,
  'pipeline-run-not-ended': 404,
  'method-not-allowed': 405,
  'request-timeout': 408,
  'run-not-ended': 409,
  'graph-unknown': 409,
  'pipeline-key-reused': 409,
  'pipeline-run-not-succeeded': 409,
  'body-too-large': 413,
  'content-type-unsupported': 415,
  'range-not-satisfiable': 416,
  'key-reused': 422,
  'bundle-invalid': 422,
  'pipeline-refused': 422,
  'rate-limited': 429,
  'headers-too-large': 431,
  unexpected: 500,
  'luigid-unavailable': 502,
  'issuer-unavailable': 503,
  'audit-unavailable': 503,
  'store-unavailable': 503,
  'queue-full': 503,
  'too-many-watchers': 503,
  overloaded: 503,
  'not-ready': 503,
  stopping: 503,
  'timed-out': 503,
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

/** What is wrong with one field of a request; never its value. */
export interface FieldProblem {
  /** e.g. `body.parameters`, `query.limit`. */
  readonly field: string;
  readonly message: string;
}

export interface ProblemFacts {
  /** A stable word, e.g. why a token is refused. */
  readonly reason?: string | undefined;
  readonly problems?: readonly FieldProblem[] | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly cause?: unknown;
}

/** An answer that is no success. `detail` is for whoever sent the request: no secret, no value of it. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: ProblemCode;
  readonly facts: ProblemFacts;

  constructor(code: ProblemCode, detail: string, facts: ProblemFacts = {}) {
    super(detail, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.code = code;
    this.facts = facts;
  }

  get status(): number {
    return PROBLEMS[this.code];
  }
}

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

/** RFC 9457. */
export interface ProblemDocument {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ProblemCode;
  readonly requestId: string;
  readonly reason?: string;
  readonly problems?: readonly FieldProblem[];
}

export function problemDocument({ code, status, message, facts }: Problem, requestId: string): ProblemDocument {
  return {
    type: `https://plumbline.dev/problems/${code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail: message,
    code,
    requestId,
    ...(facts.reason !== undefined && { reason: facts.reason }),
    ...(facts.problems !== undefined && { problems: facts.problems }),
  };
}

/** Which of our errors a caller is told of, as which problem. Everything else is `unexpected`, and says nothing. */
const OF_ERRORS: Readonly<Partial<Record<string, ProblemCode>>> = {
  ERR_TOKEN_MALFORMED: 'token-malformed',
  ERR_TOKEN_UNTRUSTED: 'token-untrusted',
  ERR_TOKEN_EXPIRED: 'token-expired',
  ERR_TOKEN_CLAIMS: 'token-claims',
  ERR_ISSUER_UNAVAILABLE: 'issuer-unavailable',
  ERR_INPUT_INVALID: 'request-invalid',
  ERR_RUN_DENIED: 'run-denied',
  ERR_RUN_UNKNOWN: 'run-unknown',
  ERR_RUN_KEY_REUSED: 'key-reused',
  ERR_CODE_REFUSED: 'bundle-invalid',
  ERR_QUEUE_FULL: 'queue-full',
  ERR_AUDIT_UNAVAILABLE: 'audit-unavailable',
  ERR_STORE_UNAVAILABLE: 'store-unavailable',
};

/** Anything thrown, as a problem. */
export function asProblem(thrown: unknown): Problem {
  if (thrown instanceof Problem) return thrown;
  const error = asPlumblineError(thrown);
  const code = OF_ERRORS[error.code];
  if (code === undefined)
    return new Problem('unexpected', 'The gateway stopped on an error it does not know', { cause: thrown });
  return new Problem(code, error.message, { reason: reasonOf(error), cause: error });
}

function reasonOf({ details }: PlumblineError): string | undefined {
  return typeof details['reason'] === 'string' ? details['reason'] : undefined;
}
