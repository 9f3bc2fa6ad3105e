import type { JsonValue } from '#core/json.ts';

/**
 * Every type of record. `intent` stands before the act and `outcome` after it: an intent without outcome says that the
 * gateway ended in between. A name that was published is never given another meaning.
 */
export const AUDIT_TYPES = [
  'dev.plumbline.run.create.intent',
  'dev.plumbline.run.create.outcome',
  'dev.plumbline.run.denied',
  'dev.plumbline.run.start.intent',
  'dev.plumbline.run.start.outcome',
  'dev.plumbline.run.cancel.intent',
  'dev.plumbline.run.cancel.outcome',
  'dev.plumbline.run.end',
  'dev.plumbline.run.lost',
  'dev.plumbline.run.adopted',
  'dev.plumbline.secrets.read.intent',
  'dev.plumbline.secrets.read.outcome',
  'dev.plumbline.token.refused',
  'dev.plumbline.token.used',
  'dev.plumbline.read.access',
  'dev.plumbline.policy.loaded',
  'dev.plumbline.policy.rejected',
  'dev.plumbline.bundle.stored',
  /** A task's token, before it is handed out. */
  'dev.plumbline.identity.issued',
  /** A security event: a task got no token, whoever says so. */
  'dev.plumbline.identity.rejected',
  /** A key of the issuer: `result` is `prepared`, `activated`, `retired` or `removed`. */
  'dev.plumbline.issuer.key',
  /** A token for an Airflow, before it is handed out; and one that was refused. */
  'dev.plumbline.airflow.token',
  'dev.plumbline.airflow.refused',
  /** A key for an Airflow, as `issuer.key`; or one by which it signs itself: `result` is `trusted` or `untrusted`. */
  'dev.plumbline.airflow.key',
  'dev.plumbline.luigid.worker.registered',
  'dev.plumbline.luigid.worker.ended',
  /** A call that was refused, or that enforcement would refuse (`allowed`); one for equal ones of a minute. */
  'dev.plumbline.luigid.refused',
  'dev.plumbline.luigid.change.intent',
  'dev.plumbline.luigid.change.outcome',
  'dev.plumbline.person.signed-in',
  'dev.plumbline.person.signed-out',
  'dev.plumbline.person.refused',
  'dev.plumbline.dispatch.denied',
  /** Before each request to queue a run of an Azure pipeline, and what became of it. */
  'dev.plumbline.dispatch.queue.intent',
  'dev.plumbline.dispatch.queue.outcome',
  'dev.plumbline.dispatch.tagged',
  'dev.plumbline.dispatch.end',
  'dev.plumbline.gateway.started',
  'dev.plumbline.gateway.stopped',
  'dev.plumbline.audit.checkpoint',
  /** The log's own account of a torn tail, of records that were refused for a while, of a file that is gone. */
  'dev.plumbline.audit.recovered',
] as const;
export type AuditType = (typeof AUDIT_TYPES)[number];

/** A verified token, named as in `Caller`, without its claims. */
export interface AuditedToken {
  /** Name of the issuer in the policy. */
  readonly issuer: string;
  readonly iss?: string | undefined;
  readonly subject: string;
  readonly tokenId?: string | undefined;
  /** SHA-256 of the token, hexadecimal. */
  readonly tokenHash?: string | undefined;
}

/** Who asked: what a verified token says. */
export interface AuditedCaller extends AuditedToken {
  /** The token beside it, whose facts win in `signed`. */
  readonly runFacts?: AuditedToken | undefined;
  readonly scope?: string | undefined;
  readonly runId?: string | undefined;
  /** Facts that a token signs, e.g. `project`, `pipeline`, `run`, `ref`, `commit`, `actor`. */
  readonly signed?: Readonly<Record<string, JsonValue | undefined>> | undefined;
}

/**
 * The vocabulary of `data`. Every field is optional in every type; docs/gateway/audit.md says which type has which. The
 * subject of everything about a run is the run's id. Readers ignore fields that they do not know.
 */
export interface AuditData {
  readonly caller?: AuditedCaller | undefined;
  /** What the caller says about itself and no token signs. */
  readonly claimed?: Readonly<Record<string, string>> | undefined;
  readonly requestId?: string | undefined;
  /** The caller's `Idempotency-Key`. */
  readonly key?: string | undefined;
  readonly role?: string | undefined;
  readonly module?: string | undefined;
  readonly task?: string | undefined;
  /** Names only; a value is refused by `append`. */
  readonly parameterNames?: readonly string[] | undefined;
  /** SHA-256 of the canonical specification, hexadecimal. */
  readonly fingerprint?: string | undefined;
  readonly attempt?: number | undefined;
  /** SHA-256 of the policy, hexadecimal. */
  readonly policy?: string | undefined;
  readonly binding?: string | undefined;
  readonly mode?: 'report' | 'enforce' | undefined;
  readonly allowed?: boolean | undefined;
  readonly wouldAllow?: boolean | undefined;
  readonly reasons?:
    | readonly { readonly reason: string; readonly rule?: string | undefined; readonly field?: string | undefined }[]
    | undefined;
  /** Who runs. */
  readonly workerIdentity?: string | undefined;
  /** Of a task's token: Luigi's family and id of the task, name of the identity, who it is for, when it ends. */
  readonly family?: string | undefined;
  readonly taskId?: string | undefined;
  readonly identity?: string | undefined;
  readonly audience?: string | undefined;
  readonly tokenId?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number | undefined;
  readonly keyId?: string | undefined;
  /** Which Airflow, by which grant of the policy, as which of its users; the role is Airflow's, in the token. */
  readonly airflow?: string | undefined;
  readonly grant?: string | undefined;
  readonly user?: string | undefined;
  readonly airflowRole?: string | undefined;
  /** At luigid: the worker's id, the method, the namespace that is not its own. */
  readonly worker?: string | undefined;
  readonly method?: string | undefined;
  readonly namespace?: string | undefined;
  readonly address?: string | undefined;
  /** Of the Unix user by whose socket for workers a request came. */
  readonly uid?: number | undefined;
  /** Of a run in Azure DevOps: its organization's URL, its project, the ids of pipeline and run, the full ref. */
  readonly organization?: string | undefined;
  readonly project?: string | undefined;
  readonly pipeline?: number | undefined;
  readonly pipelineRun?: number | undefined;
  readonly ref?: string | undefined;
  /** How many equal calls one record stands for. */
  readonly count?: number | undefined;
  readonly unixUser?: string | undefined;
  readonly isolation?: 'user' | 'none' | undefined;
  readonly code?: Readonly<Record<string, JsonValue | undefined>> | undefined;
  /** What was touched. `name` is the name of the secret; there is no field for a value. */
  readonly secrets?:
    | readonly {
        readonly vault: string;
        readonly name: string;
        readonly version?: string | undefined;
        readonly target?: string | undefined;
      }[]
    | undefined;
  readonly inputs?: readonly AuditedDataset[] | undefined;
  readonly outputs?: readonly AuditedDataset[] | undefined;
  /** The lists were longer. */
  readonly omittedDatasets?: number | undefined;
  /** Of a run at its end. */
  readonly state?: string | undefined;
  /** Of an act: `ok`, `failed`, … */
  readonly result?: string | undefined;
  /** Stable code of an error or of a refusal. */
  readonly errorCode?: string | undefined;
  readonly reason?: string | undefined;
}

export interface AuditedDataset {
  readonly namespace: string;
  readonly name: string;
}
