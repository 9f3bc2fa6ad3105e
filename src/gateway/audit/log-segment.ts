import { constants, promises, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';

/** What the log asks of a file; a collaborator, so that the behaviour of a bad disk can be shown. */
export interface SegmentHandle {
  /** May write less than it was given. */
  write(bytes: Uint8Array): Promise<{ bytesWritten: number }>;
  datasync(): Promise<void>;
  truncate(length: number): Promise<void>;
  stat(): Promise<Pick<Stats, 'ino' | 'dev' | 'size' | 'nlink'>>;
  close(): Promise<void>;
}

export interface LogDisk {
  /** `create`: it must not be there yet. Opened for appending, never followed through a link. */
  open(path: string, create: boolean): Promise<SegmentHandle>;
  /** Synchronous, because it is asked for before and after each write. */
  identity(path: string): Pick<Stats, 'ino' | 'dev'>;
  remove(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
}

const APPEND = constants.O_RDWR | constants.O_APPEND | constants.O_NOFOLLOW;

export const localDisk: LogDisk = {
  open: (path, create) => promises.open(path, create ? APPEND | constants.O_CREAT | constants.O_EXCL : APPEND, 0o600),
  identity: (path) => statSync(path),
  remove: (path) => promises.unlink(path),
  syncDirectory: async (path) => {
    const handle = await promises.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

/** Something else than this process changed the file: what stands in it is evidence and is not touched any more. */
export class ForeignChange extends Error {}

/**
 * The open file of the log. `size` counts what is known to be on the disk; whatever a failed write left behind it is cut off
 * before anything else is written.
 */
export class LogSegment {
  readonly name: string;
  readonly #directory: string;
  readonly #disk: LogDisk;
  readonly #handle: SegmentHandle;
  #size: number;
  #torn = false;

  private constructor(directory: string, name: string, disk: LogDisk, handle: SegmentHandle, size: number) {
    this.#directory = directory;
    this.name = name;
    this.#disk = disk;
    this.#handle = handle;
    this.#size = size;
  }

  static async create(directory: string, name: string, disk: LogDisk): Promise<LogSegment> {
    const handle = await disk.open(join(directory, name), true);
    const segment = new LogSegment(directory, name, disk, handle, 0);
    try {
      await disk.syncDirectory(directory);
      return segment;
    } catch (thrown) {
      await segment.discard();
      throw thrown;
    }
  }

  /** @param size how much of it is known to be good; there must not be more */
  static async open(directory: string, name: string, size: number, disk: LogDisk): Promise<LogSegment> {
    const segment = new LogSegment(directory, name, disk, await disk.open(join(directory, name), false), size);
    try {
      await segment.#check(size);
      // What a process wrote that was killed may not be on the disk yet.
      await segment.#handle.datasync();
      return segment;
    } catch (thrown) {
      await segment.close();
      throw thrown;
    }
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Returns when the bytes are on the disk, in the file that its name leads to.
   * @throws {ForeignChange} when the file was replaced, removed or written by somebody else
   */
  async append(bytes: Uint8Array): Promise<void> {
    await this.#check(this.#size);
    this.#torn = true;
    await this.#writeAll(bytes);
    await this.#handle.datasync();
    await this.#check(this.#size + bytes.length);
    this.#size += bytes.length;
    this.#torn = false;
  }

  /** Cuts off what a failed write left, wherever the file is by now. */
  async mend(): Promise<void> {
    if (!this.#torn) return;
    const { size } = await this.#handle.stat();
    if (size > this.#size) await this.#handle.truncate(this.#size);
    await this.#handle.datasync();
    this.#torn = false;
  }

  async close(): Promise<void> {
    await this.#handle.close().catch(() => undefined);
  }

  /** Closes and removes a file that holds nothing. */
  async discard(): Promise<void> {
    await this.close();
    await this.#disk.remove(join(this.#directory, this.name)).catch(() => undefined);
  }

  async #writeAll(bytes: Uint8Array): Promise<void> {
    for (let written = 0; written < bytes.length; ) {
      const { bytesWritten } = await this.#handle.write(bytes.subarray(written));
      if (bytesWritten === 0) throw new Error('the disk takes no more bytes');
      written += bytesWritten;
    }
  }

  async #check(size: number): Promise<void> {
    const found = await this.#handle.stat();
    this.#checkIdentity(found);
    if (found.size !== size) throw new ForeignChange(`${this.name} has ${found.size} bytes instead of ${size}`);
  }

  #checkIdentity(opened: Pick<Stats, 'ino' | 'dev' | 'nlink'>): void {
    const named = this.#named();
    if (named === undefined || opened.nlink === 0) throw new ForeignChange(`${this.name} was removed`);
    if (named.ino !== opened.ino || named.dev !== opened.dev) throw new ForeignChange(`${this.name} was replaced`);
  }

  #named(): Pick<Stats, 'ino' | 'dev'> | undefined {
    try {
      return this.#disk.identity(join(this.#directory, this.name));
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw thrown;
    }
  }
}
