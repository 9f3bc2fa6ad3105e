import { promisify } from 'node:util';
import { crc32, inflateRaw } from 'node:zlib';
import type { ArchiveMember } from './archive-member.ts';
import { memberPath, refusedArchive } from './member-path.ts';

const END = { signature: 0x06054b50, length: 22 } as const;
const ENTRY = { signature: 0x02014b50, length: 46 } as const;
const LOCAL = { signature: 0x04034b50, length: 30 } as const;
const LONGEST_COMMENT = 0xffff;
const UTF8 = 0x0800;
/** Encrypted, a description behind the bytes only, patched, or with a hidden directory. */
const UNSUPPORTED_FLAGS = 0x0001 | 0x0020 | 0x2000;
const UNIX = 3;
const KIND = { mask: 0o170000, file: 0o100000, folder: 0o040000 } as const;

interface Entry {
  readonly path: readonly string[];
  readonly isFolder: boolean;
  readonly executable: boolean;
  readonly method: number;
  readonly crc: number;
  readonly packed: number;
  readonly size: number;
  readonly offset: number;
}

/**
 * Reads a zip by its directory at the end, as Python does: a wheel. Links, encryption, ZIP64 and members that share bytes (with
 * which a small file unpacks to petabytes) are refused; sizes and checksums must be true.
 * @throws {PlumblineError} `ERR_CODE_REFUSED`
 */
export async function* readZip(zip: Buffer): AsyncGenerator<ArchiveMember> {
  const entries = [...directory(zip)];
  refuseShared(entries);
  for (const { path, isFolder, executable, ...rest } of entries) {
    const bytes = isFolder ? [] : [await content(zip, rest)];
    yield { path, kind: isFolder ? 'folder' : 'file', executable, bytes: each(bytes) };
  }
}

function* directory(zip: Buffer): Generator<Entry> {
  const end = endOf(zip);
  const [count, size, start] = [zip.readUInt16LE(end + 10), zip.readUInt32LE(end + 12), zip.readUInt32LE(end + 16)];
  const isOneDisk = zip.readUInt32LE(end + 4) === 0 && zip.readUInt16LE(end + 8) === count;
  if (!isOneDisk || count === 0xffff || start + size !== end)
    throw refusedArchive('its directory is not where it must be');
  let at = start;
  for (let i = 0; i < count; i += 1) {
    if (at + ENTRY.length > end || zip.readUInt32LE(at) !== ENTRY.signature)
      throw refusedArchive('its directory is damaged');
    const [name, extra, comment] = [zip.readUInt16LE(at + 28), zip.readUInt16LE(at + 30), zip.readUInt16LE(at + 32)];
    const next = at + ENTRY.length + name + extra + comment;
    if (next > end) throw refusedArchive('its directory is damaged');
    yield entryAt(zip, at, zip.subarray(at + ENTRY.length, at + ENTRY.length + name));
    at = next;
  }
  if (at !== end) throw refusedArchive('its directory is damaged');
}

function endOf(zip: Buffer): number {
  const first = Math.max(0, zip.length - END.length - LONGEST_COMMENT);
  for (let at = zip.length - END.length; at >= first; at -= 1) {
    const isEnd = zip.readUInt32LE(at) === END.signature && at + END.length + zip.readUInt16LE(at + 20) === zip.length;
    if (isEnd) return at;
  }
  throw refusedArchive('it is no zip');
}

function entryAt(zip: Buffer, at: number, name: Buffer): Entry {
  const flags = zip.readUInt16LE(at + 8);
  if (flags & UNSUPPORTED_FLAGS) throw refusedArchive('a member is encrypted or of an unusual kind');
  if (!(flags & UTF8) && name.some((byte) => byte > 0x7e)) throw refusedArchive('a name is neither ASCII nor UTF-8');
  const path = memberPath(name);
  const mode = zip.readUInt8(at + 5) === UNIX ? zip.readUInt16LE(at + 40) : 0;
  const isFolder = name.at(-1) === 0x2f;
  const kind = mode & KIND.mask;
  if (kind !== 0 && kind !== (isFolder ? KIND.folder : KIND.file)) {
    throw refusedArchive(`${JSON.stringify(path.join('/'))} is neither a file nor a folder`);
  }
  return {
    path,
    isFolder,
    executable: (mode & 0o100) !== 0,
    method: zip.readUInt16LE(at + 10),
    crc: zip.readUInt32LE(at + 16),
    packed: zip.readUInt32LE(at + 20),
    size: zip.readUInt32LE(at + 24),
    offset: zip.readUInt32LE(at + 42),
  };
}

/** Each has its own place: header and bytes of one end before the next begins. */
function refuseShared(entries: readonly Entry[]): void {
  const sorted = entries.toSorted((a, b) => a.offset - b.offset);
  for (const [i, { offset, packed }] of sorted.entries()) {
    const next = sorted[i + 1]?.offset ?? Number.POSITIVE_INFINITY;
    if (offset + LOCAL.length + packed > next) throw refusedArchive('members share their bytes');
  }
}

async function content(
  zip: Buffer,
  entry: Pick<Entry, 'method' | 'crc' | 'packed' | 'size' | 'offset'>,
): Promise<Buffer> {
  const { method, crc, packed, size, offset } = entry;
  if (offset + LOCAL.length > zip.length || zip.readUInt32LE(offset) !== LOCAL.signature) {
    throw refusedArchive('a member is not where its directory says');
  }
  const start = offset + LOCAL.length + zip.readUInt16LE(offset + 26) + zip.readUInt16LE(offset + 28);
  const bytes = zip.subarray(start, start + packed);
  const whole = bytes.length === packed && (method === 0 || method === 8);
  const plain = whole && (method === 0 ? bytes : await inflated(bytes, size));
  if (plain && plain.length === size && crc32(plain) === crc) return plain;
  throw refusedArchive('a member is damaged or packed in an unknown way');
}

async function inflated(bytes: Buffer, size: number): Promise<Buffer> {
  try {
    // One byte more than it says it has: more is never made of it.
    return await promisify(inflateRaw)(bytes, { maxOutputLength: size + 1 });
  } catch {
    throw refusedArchive('a member is damaged, or larger than it says');
  }
}

async function* each(parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* parts;
}
