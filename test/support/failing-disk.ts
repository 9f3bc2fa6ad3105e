import { type LogDisk, localDisk, type SegmentHandle } from '#gateway/audit/log-segment.ts';

/** The local disk, counted, and with whatever failure is set. */
export class FailingDisk implements LogDisk {
  writes = 0;
  syncs = 0;
  /** Bytes that a single write takes. */
  most = Number.POSITIVE_INFINITY;
  /** Bytes that are left on the disk. */
  room = Number.POSITIVE_INFINITY;
  /** Operations that fail, with the system's code. */
  readonly failing = new Map<'open' | 'write' | 'datasync' | 'truncate' | 'syncDirectory', string>();
  /** What a sync waits for. */
  pause: Promise<void> = Promise.resolve();

  async open(path: string, create: boolean): Promise<SegmentHandle> {
    this.#fail('open');
    const handle = await localDisk.open(path, create);
    return {
      write: async (bytes) => {
        this.writes += 1;
        this.#fail('write');
        if (this.room === 0) throw systemError('ENOSPC');
        const written = await handle.write(bytes.subarray(0, Math.min(this.most, this.room)));
        this.room -= written.bytesWritten;
        return written;
      },
      datasync: async () => {
        this.syncs += 1;
        await this.pause;
        this.#fail('datasync');
        await handle.datasync();
      },
      truncate: async (length) => {
        this.#fail('truncate');
        await handle.truncate(length);
      },
      stat: () => handle.stat(),
      close: () => handle.close(),
    };
  }

  identity(path: string) {
    return localDisk.identity(path);
  }

  remove(path: string): Promise<void> {
    return localDisk.remove(path);
  }

  async syncDirectory(path: string): Promise<void> {
    this.#fail('syncDirectory');
    await localDisk.syncDirectory(path);
  }

  #fail(operation: 'open' | 'write' | 'datasync' | 'truncate' | 'syncDirectory'): void {
    const code = this.failing.get(operation);
    if (code !== undefined) throw systemError(code);
  }
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: as the test wants it`), { code });
}
