import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, rmdir, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { PlumblineError } from '#core/errors.ts';

/** Who uploads, by `Caller.scope`, and what, by the SHA-256 of its bytes. */
export interface BundleName {
  readonly scope: string;
  readonly sha256: string;
}

/** Bundles that callers uploaded: named by their digest, each scope for itself. Unpacked nowhere here. */
export interface BundleStore {
  /**
   * Takes the bytes; they are there under their name only when they are that. The same may come again.
   * @throws {PlumblineError} `ERR_CODE_REFUSED` when they are others, or more than `maxBytes`
   */
  put(
    name: BundleName,
    bytes: AsyncIterable<Uint8Array>,
    maxBytes: number,
  ): Promise<{ readonly size: number; readonly created: boolean }>;
  /** Where it lies, and that it was used now; `undefined` when there is none. */
  find(name: BundleName): Promise<string | undefined>;
  /** Those that nobody uploaded or used since; gives how many. Milliseconds since the epoch. */
  removeUnused(since: number): Promise<number>;
}

const DIGEST = /^[0-9a-f]{64}$/;

/** @param directory 0700, the gateway's own; made when it is not there */
export function bundleStore(directory: string): BundleStore {
  return new FolderBundleStore(directory);
}

class FolderBundleStore implements BundleStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async put(name: BundleName, bytes: AsyncIterable<Uint8Array>, maxBytes: number) {
    const path = this.#path(name);
    await mkdir(join(path, '..'), { recursive: true, mode: 0o700 });
    const draft = `${path}.${randomUUID()}.part`;
    try {
      const { size, sha256 } = await save(draft, bytes, maxBytes);
      if (sha256 !== name.sha256) throw refused(name, `its bytes have the SHA-256 ${sha256}`);
      const created = (await this.find(name)) === undefined;
      if (created) await rename(draft, path);
      return { size, created };
    } finally {
      await rm(draft, { force: true });
    }
  }

  async find(name: BundleName): Promise<string | undefined> {
    const path = this.#path(name);
    try {
      const now = new Date();
      await utimes(path, now, now);
      return path;
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  async removeUnused(since: number): Promise<number> {
    let removed = 0;
    for (const scope of await names(this.#directory)) {
      const folder = join(this.#directory, scope);
      for (const name of await names(folder)) removed += await removeOld(join(folder, name), since);
      // Only an empty one goes.
      await rmdir(folder).catch(() => undefined);
    }
    return removed;
  }

  #path({ scope, sha256 }: BundleName): string {
    if (!DIGEST.test(scope) || !DIGEST.test(sha256)) throw new TypeError('A bundle is named by two SHA-256.');
    return join(this.#directory, scope, sha256);
  }
}

async function save(path: string, bytes: AsyncIterable<Uint8Array>, maxBytes: number) {
  const hash = createHash('sha256');
  const file = await open(path, 'wx', 0o600);
  let size = 0;
  try {
    for await (const part of bytes) {
      size += part.length;
      if (size > maxBytes) throw tooLarge(maxBytes);
      hash.update(part);
      await file.writeFile(part);
    }
    // A loss of power must not leave its name with other bytes.
    await file.sync();
  } finally {
    await file.close();
  }
  return { size, sha256: hash.digest('hex') };
}

async function removeOld(path: string, since: number): Promise<number> {
  const { mtimeMs } = await stat(path);
  if (mtimeMs >= since) return 0;
  await rm(path, { force: true });
  return 1;
}

async function names(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}

function refused({ sha256 }: BundleName, why: string): PlumblineError {
  return new PlumblineError('ERR_CODE_REFUSED', `The bundle ${sha256} was not stored: ${why}`, {
    remedy: 'Name a bundle by the SHA-256 of exactly the bytes that are sent.',
  });
}

function tooLarge(maxBytes: number): PlumblineError {
  return new PlumblineError('ERR_CODE_REFUSED', `The bundle was not stored: it has more than ${maxBytes} bytes`, {
    remedy: 'Leave data and build results out of it, or raise maxBytes of the code of the role.',
  });
}
