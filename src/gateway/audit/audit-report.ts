/** Which rows are wanted; all of them must hold. Text is compared exactly. */
export interface AuditReportFilter {
  readonly run?: string | undefined;
  readonly role?: string | undefined;
  readonly issuer?: string | undefined;
  readonly subject?: string | undefined;
  readonly project?: string | undefined;
  readonly actor?: string | undefined;
  readonly task?: string | undefined;
  /** `vault/name`, or the name alone. */
  readonly secret?: string | undefined;
  /** `namespace/name`, or the name alone; input or output. */
  readonly dataset?: string | undefined;
  /** SHA-256 of the policy, or its beginning (8 digits or more). */
  readonly policy?: string | undefined;
  readonly binding?: string | undefined;
  readonly decision?: AuditReportRow['decision'] | undefined;
}

export interface ReportAuditSettings {
  readonly directory: string;
  /** Milliseconds since the epoch, inclusive. */
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  readonly filters?: AuditReportFilter | undefined;
  /** Rows; more are counted. Default 100,000. */
  readonly limit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One run, one refused request or one refused token. Text is as it was recorded: a renderer makes it harmless. */
export interface AuditReportRow {
  /** Milliseconds since the epoch, of the first record. */
  readonly at: number;
  /** Sequence of the first record. */
  readonly sequence: number;
  /** `allowed`; `reported`: a binding in report mode let it pass; `denied` by the policy; `refused`: the token was. */
  readonly decision: 'allowed' | 'reported' | 'denied' | 'refused';
  readonly run?: string | undefined;
  readonly key?: string | undefined;
  /** Who asked. */
  readonly issuer?: string | undefined;
  readonly subject?: string | undefined;
  readonly project?: string | undefined;
  readonly pipeline?: string | undefined;
  readonly pipelineRun?: string | undefined;
  readonly ref?: string | undefined;
  readonly actor?: string | undefined;
  /** `name=value` of what no token signs. */
  readonly claimed: readonly string[];
  /** What was asked for. */
  readonly role?: string | undefined;
  readonly module?: string | undefined;
  readonly task?: string | undefined;
  /** Under which rules. */
  readonly policy?: string | undefined;
  readonly binding?: string | undefined;
  readonly reasons: readonly string[];
  /** Who ran. */
  readonly workerIdentity?: string | undefined;
  readonly unixUser?: string | undefined;
  readonly isolation?: string | undefined;
  readonly codeDigest?: string | undefined;
  readonly commit?: string | undefined;
  /** `signed`, `marker` or `claimed`. */
  readonly commitProof?: string | undefined;
  /** What was touched: `vault/name@version`. */
  readonly secrets: readonly string[];
  /** `namespace/name`. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Of the run at its end; absent while it goes on; `exists`, `refused` or `failed` when the request began no run. */
  readonly state?: string | undefined;
  readonly endedAt?: number | undefined;
  readonly attempts: number;
  /** Issuer and subject of those who asked for its end. */
  readonly cancelledBy: readonly string[];
}

/** What passed only because a binding reports; equal ones together. Text is as it was recorded. */
export interface WouldRefuseRow {
  /** A run, a registered Luigi worker, the token of a task, a call to luigid, an Azure pipeline that was queued. */
  readonly what: 'run' | 'worker' | 'task' | 'luigid' | 'pipeline';
  readonly binding?: string | undefined;
  readonly role?: string | undefined;
  /** Who asked. */
  readonly issuer?: string | undefined;
  readonly subject?: string | undefined;
  /** Of calls that brought nothing: where they came from, and what the worker says of itself, `<user>@<host>`. */
  readonly address?: string | undefined;
  readonly worker?: string | undefined;
  /** `<module>.<task>`, the family, luigid's method, or `<organization>/<project>/<pipeline> <ref>`. */
  readonly call?: string | undefined;
  readonly namespace?: string | undefined;
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

export interface AuditReport {
  readonly from: number;
  readonly to: number;
  /** By time. */
  readonly rows: readonly AuditReportRow[];
  readonly omittedRows: number;
  /** Most often first. */
  readonly wouldRefuse: readonly WouldRefuseRow[];
  /** Of what is in no row, because there were too many. */
  readonly omittedWouldRefuse: number;
  /** Records that were read. */
  readonly records: number;
  /** Lines that are no record. A report verifies nothing: `verifyAudit` does. */
  readonly unreadable: number;
}

export type AuditReportFormat = 'table' | 'json' | 'csv';
