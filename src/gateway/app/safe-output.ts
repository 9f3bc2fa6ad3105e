import { MarkerScanner } from '#core/marker-scanner.ts';
import type { OutputPart, OutputRange } from '../launch/launcher.ts';
import type { ByteRange } from './byte-range.ts';

const CHUNK = 256 * 1_024;
/** A marker that begins so far before its end, with nothing but invisible characters in it, is no accident. */
const LOOK_BACK = 64 * 1_024;
const HASH = 0x23;
const UNDERSCORE = 0x5f;

type ReadOutput = (range: OutputRange) => Promise<OutputPart>;

/**
 * A part of a run's output in which an agent finds no command: the last character of `##vso` and `##[` is an underscore.
 * Every byte keeps its place, so that parts can be put together in any way and none of them completes a marker of another.
 */
export async function* safeOutput(read: ReadOutput, { start, end }: ByteRange): AsyncGenerator<Uint8Array> {
  const scanner = new MarkerScanner();
  const before = Math.max(0, start - LOOK_BACK);
  if (before < start) disarm((await read({ start: before, end: start })).bytes, scanner);
  for (let at = start; at < end; ) {
    const { bytes } = await read({ start: at, end: Math.min(end, at + CHUNK) });
    if (bytes.length === 0) throw new Error('The output became shorter while it was read');
    yield disarm(bytes, scanner);
    at += bytes.length;
  }
}

/** In a copy, when there is anything to change. */
function disarm(bytes: Uint8Array, scanner: MarkerScanner): Uint8Array {
  let safe = bytes;
  for (let at = next(bytes, 0, scanner); at < bytes.length; at = next(bytes, at + 1, scanner)) {
    if (!scanner.byteCompletesMarker(bytes[at] as number)) continue;
    if (safe === bytes) safe = Uint8Array.from(bytes);
    safe[at] = UNDERSCORE;
  }
  return safe;
}

function next(bytes: Uint8Array, from: number, scanner: MarkerScanner): number {
  if (!scanner.idle) return from;
  const hash = bytes.indexOf(HASH, from);
  return hash === -1 ? bytes.length : hash;
}
