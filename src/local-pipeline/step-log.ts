import type { PipelineListener } from './pipeline-listener.ts';
import type { SecretMasker } from './secret-masker.ts';
import type { DetailRecord, StepIssue, StepRecord } from './step-record.ts';

/** The log of one step: everything goes through the masker, to the log file and to whoever listens. */
export interface StepLog {
  line(text: string): void;
  section(text: string): void;
  /** Written only when `System.Debug` is true. */
  debug(text: string): void;
  /** Kept on the record (at most ten of a kind) and written to the log. */
  issue(issue: StepIssue): void;
  warning(message: string): void;
  error(message: string): void;
  detail(detail: DetailRecord): void;
  progress(): void;
}

export interface StepLogParts {
  readonly record: StepRecord;
  readonly masker: SecretMasker;
  readonly write: (line: string) => void;
  readonly debugWanted: () => boolean;
  readonly listener: PipelineListener;
}

export function stepLog({ record, masker, write, debugWanted, listener }: StepLogParts): StepLog {
  const line = (text: string) => {
    const masked = masker.mask(text);
    write(masked);
    listener({ kind: 'line', record, text: masked });
  };
  const issue = (raw: StepIssue) => {
    const masked = { ...raw, message: masker.mask(raw.message) };
    if (masked.message !== '') line(`##[${raw.type}]${raw.message}`);
    record.addIssue(masked);
    listener({ kind: 'issue', record, issue: masked });
  };
  return {
    line,
    section: (text) => line(`##[section]${text}`),
    debug: (text) => debugWanted() && line(`##[debug]${text}`),
    issue,
    warning: (message) => issue({ type: 'warning', message }),
    error: (message) => issue({ type: 'error', message }),
    detail: (detail) => {
      const masked = maskDetail(detail, masker);
      record.details.set(detail.id, masked);
      listener({ kind: 'detail', record, detail: masked });
    },
    progress: () => listener({ kind: 'progress', record }),
  };
}

function maskDetail(detail: DetailRecord, masker: SecretMasker): DetailRecord {
  const currentOperation = detail.currentOperation && masker.mask(detail.currentOperation);
  return { ...detail, name: masker.mask(detail.name), currentOperation };
}
