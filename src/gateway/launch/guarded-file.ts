import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;

/**
 * Opens a file that a worker wrote in a folder of its own, for reading. Its user may have made anything of it: a link to somebody
 * else's file, a pipe that nobody writes to, a device. So it must be, when it is open and cannot be exchanged any more, a regular
 * file with one name that belongs to that user.
 * @returns a descriptor; `undefined` when there is no such file, whatever the reason is
 */
export function openGuarded(path: string, owner: number): number | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch {
    // Absent, a link, a socket, a folder nobody may enter: what cannot be read is evidence for nothing.
    return undefined;
  }
  if (isPlain(fstatSync(descriptor), owner)) return descriptor;
  closeSync(descriptor);
  return undefined;
}

function isPlain(status: Stats, owner: number): boolean {
  return status.isFile() && status.nlink === 1 && status.uid === owner;
}

/** The bytes of such a file from `start` to `end`, and how many it has; `undefined` when there is no such file. */
export function readGuarded(
  path: string,
  owner: number,
  { start, end }: { start: number; end: number },
): { bytes: Buffer; total: number } | undefined {
  const descriptor = openGuarded(path, owner);
  if (descriptor === undefined) return undefined;
  try {
    const total = fstatSync(descriptor).size;
    return { bytes: readRange(descriptor, start, Math.min(end, total)), total };
  } finally {
    closeSync(descriptor);
  }
}

/** A small file as a text; `undefined` also when it is longer than `most` bytes. */
export function readGuardedText(path: string, owner: number, most = 64 * 1024): string | undefined {
  const found = readGuarded(path, owner, { start: 0, end: most });
  return found && found.total <= most ? found.bytes.toString('utf8') : undefined;
}

/** The file may shrink meanwhile. */
function readRange(descriptor: number, start: number, end: number): Buffer {
  const bytes = Buffer.alloc(Math.max(0, end - start));
  let size = 0;
  while (size < bytes.length) {
    const read = readSync(descriptor, bytes, size, bytes.length - size, start + size);
    if (read === 0) break;
    size += read;
  }
  return bytes.subarray(0, size);
}
