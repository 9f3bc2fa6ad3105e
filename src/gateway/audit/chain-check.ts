import { type AuditRecord, hashOf, NO_PREVIOUS, type ParsedRecord, parseRecord } from './audit-record.ts';
import type { FindingList, FindingPlace } from './finding-list.ts';
import type { LogLine } from './log-lines.ts';
import { TornCheck } from './torn-check.ts';

/** A record as it was met. */
export interface MetRecord {
  readonly record: AuditRecord;
  readonly sequence: number;
  readonly hash: string;
  readonly place: FindingPlace;
}

/**
 * Follows the chain through all files. After something wrong it goes on from the record that it met, so that one change is one
 * or two findings and not thousands.
 */
export class ChainCheck {
  records = 0;
  bytes = 0;
  first: MetRecord | undefined;
  /** The last one in its place. */
  last: MetRecord | undefined;
  /** The last one, wherever it stands. */
  met: MetRecord | undefined;
  readonly torn: TornCheck;
  readonly #findings: FindingList;
  readonly #tell: (met: MetRecord) => void;
  #expected: number;
  /** Hash that the next record has to name; `undefined` when nobody can say. */
  #previous: string | undefined;
  /** The line before, whatever it was worth. */
  #line: { readonly sequence: number; readonly hash: string } | undefined;
  #time = '';

  constructor(findings: FindingList, retainedFrom: number, tell: (met: MetRecord) => void) {
    this.#findings = findings;
    this.#tell = tell;
    this.#expected = retainedFrom;
    this.#previous = retainedFrom === 1 ? NO_PREVIOUS : undefined;
    this.torn = new TornCheck(findings);
  }

  line(line: LogLine, file: string, number: number): void {
    this.bytes += line.bytes.length + (line.whole ? 1 : 0);
    const parsed = line.whole && !line.tooLong ? parseRecord(line.bytes.toString('utf8')) : undefined;
    if (parsed) this.#parsed(parsed, hashOf(line.bytes), { file, line: number, sequence: parsed.sequence });
    else this.torn.noRecord(line, file, number);
  }

  #parsed({ record, sequence }: ParsedRecord, hash: string, place: FindingPlace): void {
    if (this.torn.isOpen && this.torn.recordFollows()) this.#previous = undefined;
    this.#record({ record, sequence, hash, place });
  }

  #record(met: MetRecord): void {
    this.records += 1;
    this.first ??= met;
    if (this.#isNext(met)) this.#follow(met);
    else if (met.sequence > this.#expected) this.#jump(met);
    else this.#misplaced(met);
    this.#line = met;
    this.met = met;
    this.#tell(met);
  }

  /** The one that has to come; or it names the right predecessor under a wrong number. */
  #isNext({ sequence, record }: MetRecord): boolean {
    return sequence === this.#expected || (this.#previous !== undefined && record.previous === this.#previous);
  }

  #follow(met: MetRecord): void {
    const { sequence, record, place } = met;
    if (sequence !== this.#expected) {
      const message = `Record ${this.#expected} was changed: it says that it is record ${sequence}`;
      this.#findings.error('changed', message, place);
    } else if (this.#previous !== undefined && record.previous !== this.#previous) this.#brokenLink(met);
    this.#accept(met, this.#expected);
  }

  #brokenLink({ sequence, place }: MetRecord): void {
    const message =
      sequence === 1
        ? 'Record 1 was changed: nothing can come before it'
        : `Record ${sequence - 1} was changed, or the link to it in record ${sequence}`;
    this.#findings.error('changed', message, { ...place, sequence: Math.max(1, sequence - 1) });
  }

  #jump(met: MetRecord): void {
    const last = met.sequence - 1;
    const which = last === this.#expected ? `Record ${last} is` : `Records ${this.#expected} to ${last} are`;
    this.#findings.error('missing', `${which} missing`, { ...met.place, sequence: this.#expected });
    this.#accept(met, met.sequence);
  }

  #misplaced(met: MetRecord): void {
    const { sequence, record, place } = met;
    const message = `Record ${sequence} stands where record ${this.#expected} was to come: repeated, moved or inserted`;
    this.#findings.error('misplaced', message, place);
    // Two that follow each other are the log again, and what stood between was not.
    if (this.#line?.hash === record.previous && this.#line.sequence + 1 === sequence) this.#accept(met, sequence);
  }

  #accept(met: MetRecord, sequence: number): void {
    this.#expected = sequence + 1;
    this.#previous = met.hash;
    this.last = met;
    const { time } = met.record;
    if (time < this.#time)
      this.#findings.warning(
        'clock',
        `The clock was set back between the records ${sequence - 1} and ${sequence}`,
        met.place,
      );
    this.#time = time;
  }
}
