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

  readonly #missing: (FindingPlace & { readonly sequence: number })[] = [];

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

  /** @param late checkpoints that were written while the log was read */
  end(lastSequence: number, late: ReadonlySet<number>): void {
    for (const told of this.#missing) if (!late.has(told.sequence)) this.#tellMissing(told);
    this.#checkNewest(late);
    const last = this.#known.behind(lastSequence).at(-1);
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
    if (!this.#known.bySequence.get(last)?.local) this.#missing.push({ ...place, sequence: last });
  }

  #tellMissing(place: FindingPlace & { readonly sequence: number }): void {
    const message = `The checkpoint of record ${place.sequence} was written beside the log and is not there`;
    const isKnown = this.#known.bySequence.has(place.sequence);
    if (isKnown) this.#findings.warning('checkpoint-missing', `${message}; an exported copy is`, place);
    else this.#findings.error('checkpoint-missing', message, place);
  }

  #checkNewest(late: ReadonlySet<number>): void {
    if (!this.#newest || !this.#hasKeys()) return;
    const { sequence, place } = this.#newest;
    if (this.#known.bySequence.has(sequence) || late.has(sequence)) return;
    const message = `The checkpoint of record ${sequence} is not there: the gateway ended before it was written, or it was removed`;
    this.#findings.warning('checkpoint-missing', message, place);
  }

  #hasKeys(): boolean {
    return this.#known.hasKeys;
  }
}
