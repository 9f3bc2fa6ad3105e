import type { JsonValue } from '#core/json.ts';

/** What happened, before it is put into a chain. No token, no secret, no value of a parameter. */
export interface AuditEvent {
  /** e.g. `dev.plumbline.run.create.intent`, `…run.create.outcome`, `…token.refused`, `…policy.loaded`. */
  readonly type: string;
  /** What it is about: a run's id, a role, a file. */
  readonly subject?: string | undefined;
  readonly data: Readonly<Record<string, JsonValue | undefined>>;
}

export interface AuditReceipt {
  /** Counted from 1 over all files. */
  readonly sequence: number;
  /** SHA-256 of the record's line without its newline, hexadecimal. */
  readonly hash: string;
}

/**
 * The tamper-evident log. A record is on the disk when `append` resolves; many at once share one fsync.
 * Whoever wants to act appends first and acts only then: no audit record, no run.
 */
export interface AuditLog {
  /**
   * @throws {PlumblineError} `ERR_AUDIT_UNAVAILABLE` when it cannot be written; nothing may be done then.
   * @throws {TypeError} when the event holds a credential, a field for one, or what is no JSON: a mistake of ours, nothing is
   *   written and nothing may be done. Text of callers goes through `redactCredentials` first.
   */
  append(event: AuditEvent): Promise<AuditReceipt>;
  /** Signs what stands now and writes it beside the log, and to the place off this machine if one is set. */
  checkpoint(): Promise<void>;
  /** Why it cannot be written at the moment; `undefined` when it can. */
  problem(): string | undefined;
  close(): Promise<void>;
}
