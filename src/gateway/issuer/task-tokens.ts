import type { TokenTarget } from '../policy/task-identity.ts';
import type { Worker } from '../workers/worker.ts';

/** What the process of a task asks for at its start, and again while it runs. */
export interface TaskTokenRequest {
  /** Luigi's family and id of the task. */
  readonly family: string;
  readonly taskId: string;
  /** One audience of the task's identity; absent: that of its first target. */
  readonly audience?: string | undefined;
  readonly requestId: string;
}

export interface TaskToken {
  readonly token: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Seconds after which the task should ask again. */
  readonly renewAfterSeconds: number;
  readonly audience: string;
  /** Name of the identity; absent: a token for this gateway alone. */
  readonly identity?: string | undefined;
  /** Everything that the identity has, so that the task can ask for the others too. */
  readonly targets: readonly TokenTarget[];
}

/** The exchange of a worker's token for a token of one of its tasks; RFC 8693. */
export interface TaskTokens {
  /**
   * Decides by the policy in force, records, issues. Two calls never give the same token.
   * @throws {PlumblineError} `ERR_IDENTITY_REJECTED` with `details.reason` and, where a report lets the task run without a token,
   *   `details.mode: 'report'`; `ERR_AUDIT_UNAVAILABLE`, `ERR_ISSUER_UNAVAILABLE`
   */
  exchange(worker: Worker, wanted: TaskTokenRequest): Promise<TaskToken>;
}
