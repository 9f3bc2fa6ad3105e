import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Secret } from '#core/secret.ts';
import type { CancelReason } from '../engine.ts';
import { type ExitRecord, readExitRecord } from './exit-record.ts';
import { isMissing } from './missing-file.ts';
import type { ProcessIdentity } from './process-identity.ts';

/** What is remembered of a run from its start; nothing secret. */
export interface RunRecord {
  readonly id: string;
  readonly attempt: string;
  readonly module: string;
  readonly task: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** The process that asked for the run; it ends when this one is gone. */
  readonly owner: ProcessIdentity;
  /** Absent until it was started. */
  readonly supervisor?: ProcessIdentity | undefined;
}

const PLAIN_NAME = /^[A-Za-z0-9][A-Za-z0-9._~-]{0,99}$/;

/** The folder of one run (0700): its record, its events, how it ended, and its secret files while it lasts. */
export class RunDirectory {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  /** Where the run of this id lies below `parent`. */
  static of(parent: string, id: string): RunDirectory {
    return new RunDirectory(join(parent, PLAIN_NAME.test(id) ? id : createHash('sha256').update(id).digest('hex')));
  }

  get events(): string {
    return join(this.path, 'events.jsonl');
  }

  get exit(): string {
    return join(this.path, 'exit.json');
  }

  /** Makes the folder with an empty event file; false when it is there already, with the record of a run. */
  claim(record: RunRecord): boolean {
    mkdirSync(join(this.path, '..'), { recursive: true, mode: 0o700 });
    // The folder appears with its record in it or not at all: whoever finds one finds a run.
    const draft = new RunDirectory(`${this.path}.${randomUUID()}`);
    mkdirSync(draft.path, { mode: 0o700 });
    draft.#write('run.json', record);
    writeFileSync(draft.events, '', { mode: 0o600 });
    try {
      renameSync(draft.path, this.path);
      return true;
    } catch (error) {
      draft.remove();
      if (error instanceof Error && 'code' in error && TAKEN.has(String(error.code))) return false;
      throw error;
    }
  }

  remember(record: RunRecord): void {
    this.#write('run.json', record);
  }

  record(): RunRecord | undefined {
    return this.#read<RunRecord>('run.json');
  }

  exitRecord(): ExitRecord | undefined {
    return readExitRecord(this.exit);
  }

  /** In the place of a supervisor that had to be killed. */
  writeExitRecord(record: ExitRecord): void {
    this.#write('exit.json', { protocol: 1, ...record, at: Date.now() / 1_000 });
  }

  /** Why we stopped the run; the first reason stays. */
  stopReason(): CancelReason | undefined {
    return this.#read<{ reason: CancelReason }>('stop.json')?.reason;
  }

  rememberStop(reason: CancelReason): void {
    if (this.stopReason() === undefined) this.#write('stop.json', { reason, at: Date.now() });
  }

  /** Writes a secret to a file of its own, 0600; gives its path. */
  writeSecret(name: string, secret: Secret): string {
    const folder = join(this.path, 'secrets');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, name);
    writeFileSync(path, secret.reveal(), { mode: 0o600, flag: 'wx' });
    return path;
  }

  removeSecrets(): void {
    rmSync(join(this.path, 'secrets'), { recursive: true, force: true });
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }

  #write(name: string, value: object): void {
    const path = join(this.path, name);
    writeFileSync(`${path}.part`, `${JSON.stringify(value)}\n`, { mode: 0o600 });
    renameSync(`${path}.part`, path);
  }

  #read<T>(name: string): T | undefined {
    try {
      return JSON.parse(readFileSync(join(this.path, name), 'utf8')) as T;
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }
}

const TAKEN: ReadonlySet<string> = new Set(['ENOTEMPTY', 'EEXIST']);
