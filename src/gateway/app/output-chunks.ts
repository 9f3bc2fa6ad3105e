import type { OutputPart, OutputRange } from '../launch/launcher.ts';
import type { ByteRange } from './byte-range.ts';

const CHUNK = 256 * 1_024;

/**
 * A part of a run's output, read as it is sent: a large one costs no memory.
 * @throws {Error} when less is there than was promised; the answer breaks off then
 */
export async function* outputChunks(
  read: (range: OutputRange) => Promise<OutputPart>,
  { start, end }: ByteRange,
): AsyncGenerator<Uint8Array> {
  for (let at = start; at < end; ) {
    const { bytes } = await read({ start: at, end: Math.min(end, at + CHUNK) });
    if (bytes.length === 0) throw new Error('The output became shorter while it was read');
    yield bytes;
    at += bytes.length;
  }
}
