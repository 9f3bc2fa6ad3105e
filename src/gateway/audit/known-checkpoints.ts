import { promises } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CHECKPOINTS_FOLDER, listNotes, readCheckpoint } from './checkpoint-files.ts';
import { CHECKPOINT_NAME, checkpointPath } from './checkpoint-note.ts';
import type { FindingList } from './finding-list.ts';
import type { VerifierKey } from './signed-note.ts';

export interface KnownCheckpoint {
  /** Of the record, hexadecimal. */
  readonly hash: string;
  readonly path: string;
  /** Beside the log; else somewhere else. */
  local: boolean;
  exported: boolean;
}

/** Every checkpoint that one of the keys signed, by the sequence that it vouches for. */
export class KnownCheckpoints {
  readonly bySequence = new Map<number, KnownCheckpoint>();
  local = 0;
  exported = 0;
  readonly #keys: readonly VerifierKey[];
  readonly #findings: FindingList;
  readonly #paths = new Set<string>();

  constructor(keys: readonly VerifierKey[], findings: FindingList) {
    this.#keys = keys;
    this.#findings = findings;
  }

  get hasKeys(): boolean {
    return this.#keys.length > 0;
  }

  async readLocal(directory: string): Promise<void> {
    for (const path of await listNotes(join(directory, CHECKPOINTS_FOLDER))) {
      if (await this.#read(path, 'local')) this.local += 1;
    }
  }

  async readExported(place: string): Promise<void> {
    for (const path of await listNotes(place)) if (await this.#read(path, 'exported')) this.exported += 1;
  }

  /** Sequences of checkpoints beside the log that were written since `readLocal`. */
  async readLate(directory: string): Promise<ReadonlySet<number>> {
    const late = new Set<number>();
    for (const path of await listNotes(join(directory, CHECKPOINTS_FOLDER))) {
      if (this.#paths.has(path)) continue;
      const checkpoint = await readCheckpoint(path, this.#keys);
      if (checkpoint) late.add(checkpoint.sequence);
    }
    return late;
  }

  /** Sequences that are vouched for and lie behind the given one. */
  behind(sequence: number): number[] {
    return [...this.bySequence.keys()].filter((vouched) => vouched > sequence).sort((a, b) => a - b);
  }

  async #read(path: string, where: 'local' | 'exported'): Promise<boolean> {
    this.#paths.add(path);
    if ((await promises.stat(path)).size === 0) return this.#empty(path);
    const checkpoint = await readCheckpoint(path, this.#keys);
    if (!checkpoint) {
      this.#findings.error('checkpoint-forged', `The checkpoint ${path} is not one that a given key signed`, {
        file: path,
      });
      return false;
    }
    this.#checkName(path, checkpointPath(checkpoint));
    const { sequence, hash } = checkpoint;
    const known = this.bySequence.get(sequence);
    if (known && known.hash !== hash) {
      const message = `The checkpoints ${known.path} and ${path} vouch for different records ${sequence}`;
      this.#findings.error('checkpoint-mismatch', message, { file: path, sequence });
    }
    this.bySequence.set(sequence, { hash, path, local: false, exported: false, ...known, [where]: true });
    return true;
  }

  /** It says nothing, no more than one that is not there. */
  #empty(path: string): false {
    this.#findings.warning('checkpoint-missing', `The checkpoint ${path} is empty: it was not written to its end`, {
      file: path,
    });
    return false;
  }

  #checkName(path: string, expected: string): void {
    const isNamed = CHECKPOINT_NAME.test(basename(path));
    if (!isNamed || `${basename(dirname(path))}/${basename(path)}` === expected) return;
    this.#findings.error('file-name', `The checkpoint ${path} was moved: its name should be ${expected}`, {
      file: path,
    });
  }
}
