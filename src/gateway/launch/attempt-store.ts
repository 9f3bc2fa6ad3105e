import { lstatSync, readFileSync, statSync } from 'node:fs';
import { chmod, mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PlumblineError } from '#core/errors.ts';
import type { CancelReason } from '#engines/engine.ts';
import type { ExitRecord } from '#engines/luigi/exit-record.ts';
import type { ProcessIdentity } from '#engines/luigi/process-identity.ts';
import { parseObject } from '#engines/luigi/read-object.ts';
import type { UnixUser } from './unix-user.ts';

/** What the gateway itself knows of an attempt, where no worker can change it. Nothing secret. */
export interface AttemptRecord {
  readonly runId: string;
  readonly attempt: number;
  readonly module: string;
  readonly task: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** Absent: the gateway's own. */
  readonly user?: UnixUser | undefined;
  /** Of this machine since it was switched on: processes are of no other. */
  readonly boot: string;
  /** Written before the request is sent: a worker that has one may have begun, another cannot. */
  readonly supervisor?: ProcessIdentity | undefined;
}

/** How an attempt is over; written once. */
export interface AttemptEnd {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** No worker began, and none can any more. */
  readonly neverStarted?: boolean | undefined;
  /** The supervisor's word, or the gateway's in its place; absent: nobody knows. */
  readonly exit?: ExitRecord | undefined;
  /** Processes that could not be ended. */
  readonly left: number;
}

type Part = 'attempt' | 'stop' | 'end';

/** A folder (0700) of small files that are there whole or not at all, and survive a loss of power. */
export class AttemptStore {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** @param runsDirectory 0711 and the gateway's own, made when it is not there */
  static async open(runsDirectory: string): Promise<AttemptStore> {
    await mkdir(runsDirectory, { recursive: true, mode: 0o711 });
    refuseForeign(runsDirectory);
    await chmod(runsDirectory, 0o711);
    const folder = join(runsDirectory, 'records');
    await mkdir(folder, { recursive: true, mode: 0o700 });
    refuseForeign(folder);
    return new AttemptStore(folder);
  }

  /** @throws {TypeError} when this attempt was begun before: each has one start */
  async create(record: AttemptRecord): Promise<void> {
    const name = nameOf(record.runId, record.attempt);
    if (this.has(name)) throw new TypeError(`The attempt ${name} was started before.`);
    await this.#write(name, 'attempt', record);
  }

  /** Also when what is there cannot be read. */
  has(name: string): boolean {
    return lstatSync(this.#path(name, 'attempt'), { throwIfNoEntry: false }) !== undefined;
  }

  remember(record: AttemptRecord): Promise<void> {
    return this.#write(nameOf(record.runId, record.attempt), 'attempt', record);
  }

  /** `undefined` also when it cannot be understood. */
  read(name: string): AttemptRecord | undefined {
    const record = this.#read(name, 'attempt') as AttemptRecord | undefined;
    return record && `${record.runId}.${record.attempt}` === name ? record : undefined;
  }

  /** Why it was stopped; the first reason stays. */
  stopReason(name: string): CancelReason | undefined {
    return (this.#read(name, 'stop') as { reason: CancelReason } | undefined)?.reason;
  }

  async rememberStop(name: string, reason: CancelReason): Promise<void> {
    if (this.stopReason(name) === undefined) await this.#write(name, 'stop', { reason });
  }

  end(name: string): AttemptEnd | undefined {
    return this.#read(name, 'end') as AttemptEnd | undefined;
  }

  writeEnd(name: string, end: AttemptEnd): Promise<void> {
    return this.#write(name, 'end', end);
  }

  /** The attempt itself last: what has one can be removed again. */
  async remove(name: string): Promise<void> {
    for (const part of ['stop', 'end', 'attempt'] as const) await rm(this.#path(name, part), { force: true });
  }

  #path(name: string, part: Part): string {
    return join(this.#folder, `${name}.${part}.json`);
  }

  #read(name: string, part: Part): object | undefined {
    try {
      return parseObject(readFileSync(this.#path(name, part), 'utf8'));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #write(name: string, part: Part, value: object): Promise<void> {
    const path = this.#path(name, part);
    const file = await open(`${path}.part`, 'w', 0o600);
    try {
      await file.writeFile(`${JSON.stringify(value)}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(`${path}.part`, path);
    await syncFolder(this.#folder);
  }
}

const PLAIN = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/;

/** Of the attempt's folder, and what marks each of its processes. */
export function nameOf(runId: string, attempt: number): string {
  if (PLAIN.test(runId) && Number.isSafeInteger(attempt) && attempt > 0) return `${runId}.${attempt}`;
  throw new TypeError('A run id is letters, digits and dashes, and attempts count from 1.');
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Whoever could exchange folders in it could read and end what is not theirs. */
function refuseForeign(path: string): void {
  const { uid, mode } = statSync(path);
  const why =
    uid !== process.getuid?.() ? 'it belongs to another user' : mode & 0o022 ? 'others may write to it' : undefined;
  if (why === undefined) return;
  throw new PlumblineError('ERR_ISOLATION_UNAVAILABLE', `The runs directory ${path} cannot be used: ${why}`, {
    remedy: 'Give the gateway a runs directory of its own, with mode 0711.',
  });
}
