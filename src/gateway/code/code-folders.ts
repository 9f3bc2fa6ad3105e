import { randomUUID } from 'node:crypto';
import { chmod, chown, mkdir, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { bootId } from '../launch/boot-id.ts';
import type { UnixUser } from '../launch/unix-user.ts';

/**
 * Unpacked code, each once for each Unix user: owned by the gateway, readable by the group of that user and by nobody else. It
 * does not outlive a restart of the machine, because nothing is known of bytes that may not have reached the disk.
 */
export class CodeFolders {
  readonly #directory: string;
  readonly #making = new Map<string, Promise<string>>();

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** @param directory 0711, made when it is not there; what lies there of before the machine was started is removed */
  static async open(directory: string): Promise<CodeFolders> {
    await mkdir(directory, { recursive: true });
    await chmod(directory, 0o711);
    const own = bootId();
    for (const name of await readdir(directory)) {
      if (name !== own) await rm(join(directory, name), { recursive: true, force: true });
    }
    const folder = join(directory, own);
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o711);
    return new CodeFolders(folder);
  }

  /** The folder of this digest; `fill` writes it into an empty one when there is none yet. It appears whole or not at all. */
  folder(sha256: string, user: UnixUser | undefined, fill: (folder: string) => Promise<void>): Promise<string> {
    const shelf = join(this.#directory, user ? `u${user.uid}` : 'own');
    const path = join(shelf, sha256);
    const going = this.#making.get(path);
    if (going !== undefined) return going;
    const made = this.#make(path, shelf, user, fill).finally(() => this.#making.delete(path));
    this.#making.set(path, made);
    return made;
  }

  /** What no run was started with since; gives how many. A run that goes on for longer than that loses its code. */
  async removeUnused(since: number): Promise<number> {
    let removed = 0;
    for (const shelf of await readdir(this.#directory)) {
      for (const name of await readdir(join(this.#directory, shelf))) {
        const path = join(this.#directory, shelf, name);
        if ((await stat(path)).mtimeMs >= since || this.#making.has(path)) continue;
        await rm(path, { recursive: true, force: true });
        removed += 1;
      }
    }
    return removed;
  }

  async #make(
    path: string,
    shelf: string,
    user: UnixUser | undefined,
    fill: (folder: string) => Promise<void>,
  ): Promise<string> {
    if (await isThere(path)) return path;
    await mkdir(shelf, { recursive: true, mode: 0o700 });
    if (user) await chown(shelf, process.getuid?.() ?? 0, user.gid);
    await chmod(shelf, user ? 0o750 : 0o700);
    const draft = join(shelf, `.${randomUUID()}`);
    try {
      await mkdir(draft);
      await chmod(draft, 0o755);
      await fill(draft);
      await rename(draft, path);
    } catch (error) {
      await rm(draft, { recursive: true, force: true });
      throw error;
    }
    return path;
  }
}

/** Remembers that it was used. */
async function isThere(path: string): Promise<boolean> {
  try {
    const now = new Date();
    await utimes(path, now, now);
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}
