/** Where a task's token is good, and what the task's libraries must be told to use it. */
export type TokenTarget =
  /** Entra ID: `AZURE_FEDERATED_TOKEN_FILE`, `AZURE_CLIENT_ID`, `AZURE_TENANT_ID`, `AZURE_AUTHORITY_HOST`. */
  | {
      readonly kind: 'azure';
      readonly audience: string;
      readonly clientId: string;
      readonly tenantId: string;
      readonly authorityHost: string;
    }
  /** AWS STS: `AWS_WEB_IDENTITY_TOKEN_FILE`, `AWS_ROLE_ARN`, `AWS_ROLE_SESSION_NAME`, `AWS_REGION`. */
  | { readonly kind: 'aws'; readonly audience: string; readonly roleArn: string; readonly region?: string | undefined }
  /** Google: a file of the type `external_account`, named by `GOOGLE_APPLICATION_CREDENTIALS`. */
  | {
      readonly kind: 'google';
      readonly audience: string;
      /** `//iam.googleapis.com/projects/…/providers/…` */
      readonly provider: string;
      readonly serviceAccount?: string | undefined;
    }
  /** Anything else that trusts the issuer, such as Vault: the path of the token's file stands in this variable. */
  | { readonly kind: 'file'; readonly audience: string; readonly variable: string };

/** Who tasks are towards clouds; `identities` in the policy. */
export interface TaskIdentity {
  readonly name: string;
  /** `sub` of its tokens; stable, so that clouds can trust it: `plumbline:<name>`. */
  readonly subject: string;
  readonly environment?: string | undefined;
  /** At most one of each cloud; the first is the one that a task gets when it names no audience. */
  readonly targets: readonly TokenTarget[];
}

/** Which identity the tasks of some families have; `taskIdentities` of a role. */
export interface FamilyIdentity {
  /** Globs of Luigi families. */
  readonly tasks: readonly string[];
  /** Absent: a token for nobody but this gateway, so that the task is on record and can be refused. */
  readonly identity?: TaskIdentity | undefined;
}

export type TaskReason =
  | 'task-identity'
  | 'run-denied'
  | 'family-name'
  | 'no-task-identities'
  | 'binding-family'
  | 'family';

/** Whether a task may have a token, and as whom. */
export interface TaskDecision {
  readonly allowed: boolean;
  /** What enforcement says of run and task: `false` too for a task of a run that only a report lets pass. */
  readonly wouldAllow: boolean;
  /** Of a refusal: `report` lets the task run without a token, `enforce` ends its run. Otherwise that of the binding. */
  readonly mode: 'report' | 'enforce';
  /**
   * `task-identity` when it is allowed; `run-denied`, `family-name` (both in every mode), `no-task-identities`, `binding-family`
   * or `family` when it is refused.
   */
  readonly reason: TaskReason;
  readonly identity?: TaskIdentity | undefined;
}
