import { createHash } from 'node:crypto';
import { promises } from 'node:fs';
import { join } from 'node:path';
import { hashOf, LONGEST_RECORD_BYTES, NO_PREVIOUS, parseRecord } from './audit-record.ts';
import { listLogFiles } from './log-files.ts';

/** Bytes behind the last record of a file that are none. They stay where they are. */
export interface TornBytes {
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

/** Where a chain goes on. */
export interface ChainHead {
  /** 0: there is no record yet. */
  readonly sequence: number;
  readonly hash: string;
  /** Milliseconds since the epoch. */
  readonly time: number;
}

export interface ChainStart {
  readonly head: ChainHead;
  /** The file that can be written on; absent when a new one has to begin. */
  readonly file?: { readonly name: string; readonly size: number } | undefined;
  readonly torn: readonly TornBytes[];
}

const NOTHING: ChainHead = { sequence: 0, hash: NO_PREVIOUS, time: 0 };

/** Finds the end of the chain in the files, and what a crash left behind it. Reads from the end; changes nothing but that it removes an empty last file. */
export async function findChainStart(directory: string): Promise<ChainStart> {
  const { files } = await listLogFiles(directory);
  const torn: TornBytes[] = [];
  for (const { name } of files.reverse()) {
    const tail = await readTail(join(directory, name));
    if (tail.size === 0) await promises.unlink(join(directory, name));
    else if (tail.end < tail.size) torn.unshift(await tornBytes(directory, name, tail.end, tail.size - tail.end));
    if (tail.head) return { head: tail.head, file: torn.length === 0 ? { name, size: tail.size } : undefined, torn };
  }
  return { head: NOTHING, torn };
}

interface Tail {
  readonly size: number;
  /** Where the last record ends, with its newline; 0: there is none. */
  readonly end: number;
  readonly head?: ChainHead;
}

/** Larger than any record, so that a step back always ends behind the beginning of a line or finds none. */
const STEP = 4 * LONGEST_RECORD_BYTES;

async function readTail(path: string): Promise<Tail> {
  const handle = await promises.open(path, 'r');
  try {
    const { size } = await handle.stat();
    for (let end = size; end > 0; end -= STEP - LONGEST_RECORD_BYTES) {
      const start = Math.max(0, end - STEP);
      const bytes = Buffer.alloc(end - start);
      await handle.read(bytes, 0, bytes.length, start);
      const found = lastRecord(bytes, start === 0);
      if (found) return { size, end: start + found.end, head: found.head };
      if (start === 0) break;
    }
    return { size, end: 0 };
  } finally {
    await handle.close();
  }
}

/** The last record that lies in the bytes as a whole, with its newline. */
function lastRecord(bytes: Buffer, fromStart: boolean): { end: number; head: ChainHead } | undefined {
  for (let newline = bytes.lastIndexOf(10); newline >= 0; ) {
    const before = newline === 0 ? -1 : bytes.lastIndexOf(10, newline - 1);
    if (before < 0 && !fromStart) return undefined;
    const line = bytes.subarray(before + 1, newline);
    const head = line.length > LONGEST_RECORD_BYTES ? undefined : headOf(line);
    if (head) return { end: newline + 1, head };
    newline = before;
  }
  return undefined;
}

function headOf(line: Buffer): ChainHead | undefined {
  const parsed = parseRecord(line.toString('utf8'));
  return parsed && { sequence: parsed.sequence, hash: hashOf(line), time: Date.parse(parsed.record.time) };
}

/** What stands in a file from an offset on, as evidence. */
export async function tornBytes(directory: string, file: string, offset: number, bytes: number): Promise<TornBytes> {
  const sha256 = createHash('sha256');
  const handle = await promises.open(join(directory, file), 'r');
  try {
    const stream = handle.createReadStream({ start: offset, end: offset + bytes - 1, autoClose: false });
    for await (const part of stream) sha256.update(part);
  } finally {
    await handle.close();
  }
  return { file, offset, bytes, sha256: sha256.digest('hex') };
}
