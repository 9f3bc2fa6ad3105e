import type { MetRecord } from './chain-check.ts';
import type { FindingList, FindingPlace } from './finding-list.ts';
import type { KnownCheckpoints } from './known-checkpoints.ts';

/** Holds the records that are met against the checkpoints. */
export class CheckpointCheck {
  /** Everything up to this record is vouched for. */
  covers: number | undefined;
  exportedCovers: number | undefined;
  readonly #known: KnownCheckpoints;
  readonly #findings: FindingList;
  readonly #retainedFrom: number;
  /** Newest record about a checkpoint; whether its note is there shows only with the next one. */
  #newest: { readonly sequence: number; readonly place: FindingPlace } | undefined;

  constructor(known: KnownCheckpoints, findings: FindingList, retainedFrom: number) {
    this.#known = known;
    this.#findings = findings;
    this.#retainedFrom = retainedFrom;
  }

  met({ sequence, hash, record, place }: MetRecord): void {
    const vouched = this.#known.bySequence.get(sequence);
    if (vouched && vouched.hash !== hash) {
      const message = `Record ${sequence} is not the one that the checkpoint ${vouched.path} vouches for`;
      this.#findings.error('checkpoint-mismatch', message, place);
    } else if (vouched) this.#cover(sequence, vouched.exported);
    if (record.type === 'dev.plumbline.audit.checkpoint') this.#told(record.data['lastCheckpoint'], sequence, place);
  }

  end(lastSequence: number): void {
    if (this.#newest && !this.#known.bySequence.has(this.#newest.sequence) && this.#hasKeys())
      this.#newestMissing(this.#newest);
    const behind = this.#known.behind(lastSequence);
    const last = behind.at(-1);
    if (last === undefined) return;
    const path = this.#known.bySequence.get(last)?.path;
    const message = `The log ends with record ${lastSequence}, and the checkpoint ${path} vouches for record ${last}`;
    this.#findings.error('truncated', message, { sequence: lastSequence + 1, file: path });
  }

  #cover(sequence: number, exported: boolean): void {
    this.covers = sequence;
    if (exported) this.exportedCovers = sequence;
  }

  #told(lastCheckpoint: unknown, sequence: number, place: FindingPlace): void {
    this.#newest = { sequence, place };
    const last = Number(lastCheckpoint ?? 0);
    if (!this.#hasKeys() || !(last >= this.#retainedFrom)) return;
    const known = this.#known.bySequence.get(last);
    if (known?.local) return;
    const message = `The checkpoint of record ${last} was written beside the log and is not there`;
    const kind = 'checkpoint-missing';
    if (known) this.#findings.warning(kind, `${message}; an exported copy is`, { ...place, sequence: last });
    else this.#findings.error(kind, message, { ...place, sequence: last });
  }

  #newestMissing({ sequence, place }: { sequence: number; place: FindingPlace }): void {
    const message = `The checkpoint of record ${sequence} is not there: the gateway ended before it was written, or it was removed`;
    this.#findings.warning('checkpoint-missing', message, place);
  }

  #hasKeys(): boolean {
    return this.#known.hasKeys;
  }
}
