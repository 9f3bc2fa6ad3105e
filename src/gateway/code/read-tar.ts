import type { ArchiveMember } from './archive-member.ts';
import { ByteSource } from './byte-source.ts';
import { memberPath, refusedArchive } from './member-path.ts';

const BLOCK = 512;
/** Of a name or a list of attributes that stands before a member. */
const LONGEST_NOTE = 64 * 1024;

/** Attributes of the next member, of all, and GNU's long name. */
const NOTES: ReadonlySet<string> = new Set(['x', 'g', 'L']);

interface Header {
  readonly name: Uint8Array;
  readonly mode: number;
  readonly size: number;
  readonly type: string;
}

/**
 * Reads a tar (POSIX ustar and pax, GNU long names), as `git archive`, GNU tar and Python write it. Members other than files and
 * folders are refused, links of both kinds among them.
 * @throws {PlumblineError} `ERR_CODE_REFUSED`
 */
export async function* readTar(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ArchiveMember> {
  const source = new ByteSource(chunks);
  let longName: Uint8Array | undefined;
  for (;;) {
    const header = headerOf(await source.exactly(BLOCK));
    if (!header) return;
    if (NOTES.has(header.type)) {
      longName = nameIn(header, await noteOf(source, header.size)) ?? longName;
      continue;
    }
    yield* member(header, longName, source);
    longName = undefined;
  }
}

/** Attributes for all members (`g`) name none of them: git puts the commit there. */
function nameIn({ type }: Header, note: Uint8Array): Uint8Array | undefined {
  if (type === 'L') return untilNul(note);
  return type === 'x' ? pathOfAttributes(note) : undefined;
}

async function* member(
  { name, mode, size, type }: Header,
  longName: Uint8Array | undefined,
  source: ByteSource,
): AsyncGenerator<ArchiveMember> {
  const path = memberPath(longName ?? name);
  if (type === '5' && size === 0) {
    yield { path, kind: 'folder', executable: false, bytes: nothing() };
    return;
  }
  if (type !== '0') throw refusedArchive(`${JSON.stringify(path.join('/'))} is neither a file nor a folder`);
  const bytes = source.next(size);
  yield { path, kind: 'file', executable: (mode & 0o100) !== 0, bytes };
  // What was not read is passed over.
  for await (const _ of bytes);
  await source.exactly(padding(size));
}

/** `undefined`: two blocks of zeros, or one, end the archive. What stands behind is ignored, as every reader does. */
function headerOf(block: Uint8Array): Header | undefined {
  if (block.every((byte) => byte === 0)) return undefined;
  if (octal(block, 148, 8) !== checksum(block)) throw refusedArchive('it is no tar, or it was damaged');
  const isUstar = text(block, 257, 5) === 'ustar';
  // GNU keeps times where POSIX keeps the beginning of the name.
  const prefix = isUstar && block[262] === 0 ? untilNul(block.subarray(345, 500)) : new Uint8Array();
  const name = untilNul(block.subarray(0, 100));
  const type = text(block, 156, 1) || '0';
  return {
    name: prefix.length > 0 ? Buffer.concat([prefix, Buffer.from('/'), name]) : name,
    mode: octal(block, 100, 8),
    size: octal(block, 124, 12),
    // Writers before POSIX marked a folder by its name alone.
    type: type === '0' && name.at(-1) === 0x2f ? '5' : type,
  };
}

async function noteOf(source: ByteSource, size: number): Promise<Uint8Array> {
  if (size > LONGEST_NOTE) throw refusedArchive('attributes of a member are too long');
  const note = await source.exactly(size);
  await source.exactly(padding(size));
  return note;
}

/** Records `LENGTH KEY=VALUE\n`, the length in bytes and of the whole record. */
function pathOfAttributes(note: Uint8Array): Uint8Array | undefined {
  const bytes = Buffer.from(note);
  let path: Uint8Array | undefined;
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString('latin1', at, Math.max(at, space)));
    const record = bytes.subarray(space + 1, at + length - 1);
    const equals = record.indexOf(0x3d);
    if (space < 0 || !Number.isSafeInteger(length) || length < 5 || at + length > bytes.length || equals < 0) {
      throw refusedArchive('attributes of a member cannot be read');
    }
    const key = record.toString('latin1', 0, equals);
    if (key === 'size' || key.startsWith('GNU.sparse')) throw refusedArchive('a file is too large or has holes');
    if (key === 'path') path = record.subarray(equals + 1);
    at += length;
  }
  return path;
}

function checksum(block: Uint8Array): number {
  return block.reduce((sum, byte, at) => sum + (at >= 148 && at < 156 ? 0x20 : byte), 0);
}

function octal(block: Uint8Array, at: number, length: number): number {
  const digits = text(block, at, length).trim();
  if (!/^[0-7]{0,12}$/.test(digits)) throw refusedArchive('a number in it cannot be read');
  return digits === '' ? 0 : Number.parseInt(digits, 8);
}

function text(block: Uint8Array, at: number, length: number): string {
  return Buffer.from(untilNul(block.subarray(at, at + length))).toString('latin1');
}

function untilNul(bytes: Uint8Array): Uint8Array {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
