/**
 * What can be wrong with a log.
 * - `changed`: a record is not the one that its successor or a checkpoint vouches for.
 * - `missing`: records, a file or the beginning of the log are gone.
 * - `misplaced`: a record stands where it does not belong: repeated, moved or inserted.
 * - `malformed`: bytes that are no record.
 * - `torn`: a record that was not written to its end, and no later record accounts for it.
 * - `truncated`: a checkpoint vouches for records behind the log's end.
 * - `checkpoint-mismatch`: the log has another record than the checkpoint vouches for.
 * - `checkpoint-forged`: a checkpoint that none of the keys signed.
 * - `checkpoint-missing`: the log says that a checkpoint was written, and it is not there.
 * - `file-name`: a file's name does not say what is in it, or a file is there that does not belong to the log.
 * - `recovered`: the log itself accounts for a crash, an outage or a loss.
 * - `clock`: the time went back.
 */
export type AuditFindingKind =
  | 'changed'
  | 'missing'
  | 'misplaced'
  | 'malformed'
  | 'torn'
  | 'truncated'
  | 'checkpoint-mismatch'
  | 'checkpoint-forged'
  | 'checkpoint-missing'
  | 'file-name'
  | 'recovered'
  | 'clock';

export interface AuditFinding {
  readonly kind: AuditFindingKind;
  /** `warning`: nothing says that somebody changed the log; a person may want to know. */
  readonly severity: 'error' | 'warning';
  /** One sentence. Holds names of files, never text of records. */
  readonly message: string;
  /** Name of the file within the log, or the path of a checkpoint. */
  readonly file?: string | undefined;
  /** From 1. */
  readonly line?: number | undefined;
  readonly sequence?: number | undefined;
}

export interface VerifyAuditSettings {
  readonly directory: string;
  /** Verifier keys, see `verifierKeyLines`. From a place that the gateway's machine cannot write, or they prove little. */
  readonly publicKeys: readonly string[];
  /** Folders of exported checkpoints, or single files; beside those of the log itself. */
  readonly checkpoints?: readonly string[] | undefined;
  /** First record that has to be there, after older files were archived. Default 1. */
  readonly retainedFrom?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface AuditVerification {
  /**
   * `intact`: no error. `damaged`: at least one. `unproven`: no error, and no checkpoint that could have shown one in all or the
   * newest of the log.
   */
  readonly verdict: 'intact' | 'damaged' | 'unproven';
  /** At most 1,000, in the order of the log. */
  readonly findings: readonly AuditFinding[];
  readonly omittedFindings: number;
  readonly files: number;
  readonly records: number;
  readonly bytes: number;
  readonly firstSequence?: number | undefined;
  readonly lastSequence?: number | undefined;
  /** Hash of the last record, hexadecimal. */
  readonly lastHash?: string | undefined;
  /** Times of the first and the last record, RFC 3339. */
  readonly from?: string | undefined;
  readonly to?: string | undefined;
  readonly checkpoints: {
    /** Valid ones beside the log and elsewhere. */
    readonly local: number;
    readonly exported: number;
    /** Everything up to this record is vouched for by a signature. */
    readonly covers?: number | undefined;
    /** The same, by a checkpoint that is not in the log's own folder. */
    readonly exportedCovers?: number | undefined;
  };
  /** What this verification could not find, in sentences; empty never. */
  readonly limits: readonly string[];
}
