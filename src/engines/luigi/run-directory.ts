import { createHash, randomUUID } from 'node:crypto';
import { lstatSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Secret } from '#core/secret.ts';
import type { CancelReason } from '../engine.ts';
import { type ExitRecord, readExitRecord } from './exit-record.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { readObject } from './read-object.ts';

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
  #stop: CancelReason | undefined;
  #exit: ExitRecord | undefined;

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

  /** Whether there is anything at its path, with a record that can be read or without. */
  exists(): boolean {
    return lstatSync(this.path, { throwIfNoEntry: false }) !== undefined;
  }

  /** `undefined` when there is none, or none that can be understood. */
  record(): RunRecord | undefined {
    const record = readObject(join(this.path, 'run.json'));
    return record && isRunRecord(record) ? record : undefined;
  }

  exitRecord(): ExitRecord | undefined {
    return readExitRecord(this.exit) ?? this.#exit;
  }

  /** In the place of a supervisor that had to be killed. On a full disk only this object knows it. */
  writeExitRecord(record: ExitRecord): void {
    this.#exit = record;
    this.#writeIfItCan('exit.json', { protocol: 1, ...record, at: Date.now() / 1_000 });
  }

  /** Why we stopped the run; the first reason stays. */
  stopReason(): CancelReason | undefined {
    const reason = readObject(join(this.path, 'stop.json'))?.['reason'];
    return reason === 'cancelled' || reason === 'deadline' ? reason : this.#stop;
  }

  /** On a full disk only this object knows it: that must not keep anybody from stopping the run. */
  rememberStop(reason: CancelReason): void {
    if (this.stopReason() !== undefined) return;
    this.#stop = reason;
    this.#writeIfItCan('stop.json', { reason, at: Date.now() });
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

  #writeIfItCan(name: string, value: object): void {
    try {
      this.#write(name, value);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error;
    }
  }

  #write(name: string, value: object): void {
    const path = join(this.path, name);
    writeFileSync(`${path}.part`, `${JSON.stringify(value)}\n`, { mode: 0o600 });
    // A file is replaced by the renaming; a folder that somebody put there is not.
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory()) rmSync(path, { recursive: true });
    renameSync(`${path}.part`, path);
  }
}

const TAKEN: ReadonlySet<string> = new Set(['ENOTEMPTY', 'EEXIST']);

function isRunRecord(record: object): record is RunRecord {
  const { id, attempt, module, task, startedAt, owner, supervisor } = record as { [Name in keyof RunRecord]: unknown };
  const areTexts = [id, attempt, module, task].every((text) => typeof text === 'string');
  return areTexts && typeof startedAt === 'number' && isIdentity(owner) && (!supervisor || isIdentity(supervisor));
}

/** 0 and negative numbers mean groups of processes, 1 is the system's own. */
function isIdentity(value: unknown): value is ProcessIdentity {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, started } = value as { [Name in keyof ProcessIdentity]: unknown };
  return Number.isSafeInteger(pid) && Number(pid) > 0 && typeof started === 'string';
}
