import { PlumblineError } from '#core/errors.ts';

/** Why a task gets no token, with the error of RFC 6749 and RFC 8693 that says so. The words are stable. */
export const IDENTITY_REFUSALS = {
  /** The request is no exchange of a worker's token. */
  malformed: 'invalid_request',
  'worker-token': 'invalid_grant',
  /** Its run has ended, is to be stopped, or has a newer attempt. */
  'worker-unknown': 'invalid_grant',
  /** It came by the socket of another Unix user than its worker runs as. */
  'other-user': 'invalid_grant',
  /** The policy in force does not allow the run any more. */
  'run-denied': 'access_denied',
  /** The id is not one of a task of this family. */
  'task-mismatch': 'invalid_request',
  /** The identity of the task has no such target. */
  audience: 'invalid_target',
} as const satisfies Record<string, OAuthError>;

export type OAuthError = 'invalid_request' | 'invalid_grant' | 'invalid_target' | 'access_denied';

export interface IdentityRefusal {
  /** One of the above, or what the policy says. */
  readonly reason: string;
  /** `report`: the task may go on without a token. */
  readonly mode?: 'report' | 'enforce' | undefined;
}

const WHY: Readonly<Record<string, string>> = {
  malformed: 'the request is not of the form that is expected here',
  'worker-token': 'the worker token is none of this gateway',
  'worker-unknown': 'the worker is not alive: its run has ended, is to be stopped, or has a newer attempt',
  'other-user': 'the worker runs as another Unix user than those who may use this socket',
  'run-denied': 'the policy in force does not allow the run any more',
  'task-mismatch': 'the id of the task does not belong to its family',
  audience: 'the identity of the task has no such audience',
};

/** No token for a task. Nothing of the request is in it. */
export function identityRejected({ reason, mode = 'enforce' }: IdentityRefusal, detail?: string): PlumblineError {
  const why = detail ?? WHY[reason] ?? `the policy refuses it (${reason})`;
  return new PlumblineError('ERR_IDENTITY_REJECTED', `No token for the task: ${why}`, {
    remedy: 'See the record identity.rejected in the audit of the gateway.',
    details: { reason, mode },
  });
}

/** What an OAuth client understands of it. */
export function oauthErrorOf(reason: string): OAuthError {
  return (IDENTITY_REFUSALS as Readonly<Record<string, OAuthError>>)[reason] ?? 'access_denied';
}
