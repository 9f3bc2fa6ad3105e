import { promises } from 'node:fs';
import { LONGEST_RECORD_BYTES } from './audit-record.ts';

/** Bytes of a file up to a newline, without it. */
export interface LogLine {
  /** Valid until the next line is asked for. */
  readonly bytes: Buffer;
  readonly offset: number;
  /** The newline is there. */
  readonly whole: boolean;
  /** Longer than any record; then `bytes` is only a part of it, and the parts follow each other. */
  readonly tooLong: boolean;
}

const CHUNK = 1024 * 1024;
/** A line that is longer comes in parts, so that a file of one line needs no memory. */
const LONGEST = LONGEST_RECORD_BYTES;

/**
 * The lines of a file, with bounded memory. Many lines are given at once: asking for each would cost more than reading it.
 * @param start offset of the first one
 */
export async function* logLines(path: string, start = 0, signal?: AbortSignal): AsyncGenerator<LogLine[]> {
  const handle = await promises.open(path, 'r');
  try {
    let rest: Buffer = Buffer.alloc(0);
    let offset = start;
    // A small file needs no large buffer.
    const step = Math.min(CHUNK, Math.max(4_096, (await handle.stat()).size));
    for (;;) {
      signal?.throwIfAborted();
      const chunk = Buffer.allocUnsafe(rest.length + step);
      rest.copy(chunk);
      const { bytesRead } = await handle.read(chunk, rest.length, step, offset + rest.length);
      const bytes = chunk.subarray(0, rest.length + bytesRead);
      const { lines, used } = cut(bytes, offset, bytesRead === 0);
      if (lines.length > 0) yield lines;
      if (bytesRead === 0) return;
      rest = bytes.subarray(used);
      offset += used;
    }
  } finally {
    await handle.close();
  }
}

function cut(bytes: Buffer, offset: number, isEnd: boolean): { lines: LogLine[]; used: number } {
  const lines: LogLine[] = [];
  let used = 0;
  for (let newline = bytes.indexOf(10); newline >= 0; newline = bytes.indexOf(10, used)) {
    const line = bytes.subarray(used, newline);
    lines.push({ bytes: line, offset: offset + used, whole: true, tooLong: line.length > LONGEST });
    used = newline + 1;
  }
  const left = bytes.length - used;
  if (left > 0 && (isEnd || left > LONGEST)) {
    lines.push({ bytes: bytes.subarray(used), offset: offset + used, whole: false, tooLong: left > LONGEST });
    used = bytes.length;
  }
  return { lines, used };
}
