import { createHash, type Hash } from 'node:crypto';
import type { JsonValue } from '#core/json.ts';
import type { AuditRecord } from './audit-record.ts';
import type { TornBytes } from './chain-start.ts';
import type { FindingList, FindingPlace } from './finding-list.ts';
import type { LogLine } from './log-lines.ts';

interface Open {
  readonly file: string;
  readonly line: number;
  readonly offset: number;
  bytes: number;
  readonly sha256: Hash;
}

/** Bytes that are no record: in the midst of a file they are damage, at its end perhaps what a crash left. */
export class TornCheck {
  readonly #findings: FindingList;
  #open: Open | undefined;
  readonly #ends: (TornBytes & { readonly line: number })[] = [];

  constructor(findings: FindingList) {
    this.#findings = findings;
  }

  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  noRecord({ bytes, offset, whole }: LogLine, file: string, line: number): void {
    this.#open ??= { file, line, offset, bytes: 0, sha256: createHash('sha256') };
    this.#open.sha256.update(bytes);
    if (whole) this.#open.sha256.update('\n');
    this.#open.bytes += bytes.length + (whole ? 1 : 0);
  }

  /** They are in the midst of a file. */
  recordFollows(): boolean {
    if (!this.#open) return false;
    const { file, line, bytes } = this.#open;
    this.#findings.error('malformed', `${bytes} bytes of ${file} are no record`, { file, line });
    this.#open = undefined;
    return true;
  }

  endOfFile(): void {
    if (!this.#open) return;
    const { file, line, offset, bytes, sha256 } = this.#open;
    this.#ends.push({ file, line, offset, bytes, sha256: sha256.digest('hex') });
    this.#open = undefined;
  }

  /** A record of the log's own account may name the bytes that a crash left. */
  accountedBy({ type, data, time }: AuditRecord, place: FindingPlace): void {
    if (type !== 'dev.plumbline.audit.recovered') return;
    const torn = Array.isArray(data['torn']) ? data['torn'] : [];
    for (const named of torn) this.#account(named);
    const what = describe(data, torn.length);
    this.#findings.warning('recovered', `The log tells of ${what} before ${time}`, place);
  }

  #account(named: JsonValue): void {
    const index = this.#ends.findIndex((end) =>
      (['file', 'offset', 'bytes', 'sha256'] as const).every(
        (field) => end[field] === (named as Partial<TornBytes>)[field],
      ),
    );
    if (index >= 0) this.#ends.splice(index, 1);
  }

  end(): void {
    for (const { file, line, bytes } of this.#ends)
      this.#findings.error(
        'torn',
        `${file} ends in ${bytes} bytes that are no record, and no record accounts for them`,
        {
          file,
          line,
        },
      );
  }
}

function describe(data: AuditRecord['data'], torn: number): string {
  const refused = Number(data['refused'] ?? 0);
  const changes = Array.isArray(data['changes']) ? data['changes'].length : 0;
  const parts = [
    torn > 0 ? 'a crash that left bytes which are no record' : '',
    refused > 0 ? `${refused} records that could not be written and were refused` : '',
    changes > 0 ? 'a file that somebody else changed while it was written' : '',
    data['missing'] ? 'records that were gone when it was opened' : '',
  ].filter((part) => part !== '');
  return parts.join(', ') || 'an outage';
}
