import { constants, lstatSync, openSync } from 'node:fs';
import { chmod, chown, lstat, mkdir, open, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Secret } from '#core/secret.ts';
import { type ExitRecord, parseExitRecord } from '#engines/luigi/exit-record.ts';
import { parseObject } from '#engines/luigi/read-object.ts';
import { openGuarded, readGuarded, readGuardedText } from './guarded-file.ts';
import { removeAsUser } from './remove-as-user.ts';
import type { UnixUser } from './unix-user.ts';

const { O_WRONLY, O_APPEND, O_NOFOLLOW } = constants;

/**
 * The folder of one attempt (0700), which belongs to the worker's user from the moment it is handed over. The gateway then writes
 * nothing in it but the word that no worker may begin any more, and believes nothing in it unseen. The secret files lie in a
 * folder beside it that stays the gateway's: the worker reads them by their paths, and the gateway can remove them safely.
 */
export class AttemptFolder {
  readonly path: string;
  readonly #user: UnixUser | undefined;
  readonly #owner: number;

  constructor(runsDirectory: string, name: string, user: UnixUser | undefined) {
    this.path = join(runsDirectory, name);
    this.#user = user;
    this.#owner = user?.uid ?? gatewayUid();
  }

  get events(): string {
    return join(this.path, 'events.jsonl');
  }

  get exit(): string {
    return join(this.path, 'exit.json');
  }

  get claim(): string {
    return join(this.path, 'claim.json');
  }

  get output(): string {
    return join(this.path, 'output.log');
  }

  get temporary(): string {
    return join(this.path, 'tmp');
  }

  get #secrets(): string {
    return `${this.path}.secrets`;
  }

  /** Makes it and hands it over; gives a descriptor of its output file, for the worker's first words. */
  async make(): Promise<number> {
    await mkdir(this.path, { mode: 0o700 });
    await mkdir(this.temporary, { mode: 0o700 });
    for (const file of [this.events, this.output]) await writeFile(file, '', { mode: 0o600, flag: 'wx' });
    const descriptor = openSync(this.output, O_WRONLY | O_APPEND | O_NOFOLLOW);
    // The folder last: until then nobody else can reach what is in it.
    for (const path of [this.events, this.output, this.temporary, this.path]) await this.#handOver(path);
    return descriptor;
  }

  /** Writes secrets to files of their own; gives the path of each. */
  async writeSecrets(secrets: Readonly<Record<string, Secret>>): Promise<Record<string, string>> {
    const names = Object.keys(secrets);
    if (names.length > 0) {
      await mkdir(this.#secrets);
      // Whatever the umask took away: the worker must pass.
      await chmod(this.#secrets, 0o711);
    }
    const written: Record<string, string> = {};
    for (const name of names) {
      if (!/^\w+$/.test(name)) throw new TypeError(`${name} is no name of an environment variable`);
      const path = join(this.#secrets, name);
      await writeFile(path, (secrets[name] as Secret).reveal(), { mode: 0o600, flag: 'wx' });
      await this.#handOver(path);
      written[name] = path;
    }
    return written;
  }

  async removeSecrets(): Promise<void> {
    await rm(this.#secrets, { recursive: true, force: true });
  }

  /**
   * Removes what a worker that was killed left of its tasks' tokens; they have an end of their own, and no reason to lie there.
   * @returns whether nothing of it is left
   */
  async removeIdentities(): Promise<boolean> {
    const path = join(this.path, 'identity');
    if (!(await exists(path))) return true;
    if (this.#user) await removeAsUser(this.#user, path);
    else await rm(path, { recursive: true, force: true });
    return !(await exists(path));
  }

  openEvents(): number | undefined {
    return openGuarded(this.events, this.#owner);
  }

  exitRecord(): ExitRecord | undefined {
    const text = readGuardedText(this.exit, this.#owner);
    return text === undefined ? undefined : parseExitRecord(text);
  }

  readOutput(range: { start: number; end: number }): { bytes: Buffer; total: number } | undefined {
    return readGuarded(this.output, this.#owner, range);
  }

  /** Whether a worker has begun, as far as the folder tells: by its claim, or by any event. */
  hasBegun(): boolean {
    if (this.#isRevoked()) return false;
    if (lstatSync(this.claim, { throwIfNoEntry: false })) return true;
    return (readGuarded(this.events, this.#owner, { start: 0, end: 1 })?.total ?? 0) > 0;
  }

  /**
   * Takes the claim, so that no worker can begin any more; false when one has it. The name is made by whoever comes first, and
   * never through a link.
   */
  async revoke(): Promise<boolean> {
    if (this.#isRevoked()) return true;
    try {
      const file = await open(this.claim, 'wx', 0o600);
      await file.writeFile(`${JSON.stringify({ revoked: true, at: Date.now() / 1_000 })}\n`);
      await file.close();
      return true;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error;
      if (error.code === 'EEXIST') return false;
      if (error.code === 'ENOENT') return true;
      throw error;
    }
  }

  /** Deletes it with all that the worker left in it. */
  async remove(): Promise<void> {
    await this.removeSecrets();
    const status = await lstat(this.path).catch(() => undefined);
    if (!status) return;
    if (this.#user && status.uid === this.#user.uid) {
      await removeAsUser(this.#user, this.path);
      await rmdir(this.path);
    } else await rm(this.path, { recursive: true, force: true });
  }

  /** A worker of another user cannot make a file that belongs to the gateway. */
  #isRevoked(): boolean {
    const text = readGuardedText(this.claim, gatewayUid());
    if (text === undefined) return false;
    return this.#owner !== gatewayUid() || parseObject(text)?.['revoked'] === true;
  }

  async #handOver(path: string): Promise<void> {
    if (this.#user) await chown(path, this.#user.uid, this.#user.gid);
  }
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => undefined)) !== undefined;
}

function gatewayUid(): number {
  return process.getuid?.() ?? 0;
}
