import { Transform, type TransformCallback } from 'node:stream';
import { MarkerScanner } from './marker-scanner.ts';

const HASH = 0x23;
const SPACE = Buffer.from(' ');

/**
 * `neutralise` for a stream of bytes in UTF-8 or anything else that contains ASCII. What it is given it passes on at once,
 * whatever the chunks, and holds nothing back: a line may be of any length, and a progress bar without a newline shows.
 * Bytes that are no UTF-8 stay as they are.
 */
export class NeutraliseStream extends Transform {
  readonly #scanner = new MarkerScanner();

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    done(null, neutraliseBytes(chunk, this.#scanner));
  }
}

/** `chunk` itself when there is nothing to change. `scanner` remembers how the chunks before ended. */
export function neutraliseBytes(chunk: Buffer, scanner: MarkerScanner): Buffer {
  const parts: Buffer[] = [];
  let written = 0;
  for (let at = next(chunk, 0, scanner); at < chunk.length; at = next(chunk, at + 1, scanner)) {
    if (!scanner.byteCompletesMarker(chunk[at] as number)) continue;
    parts.push(chunk.subarray(written, at), SPACE);
    written = at;
  }
  return parts.length === 0 ? chunk : Buffer.concat([...parts, chunk.subarray(written)]);
}

/** Outside a beginning marker only the next hash matters: found natively, so that plain output costs next to nothing. */
function next(chunk: Buffer, from: number, scanner: MarkerScanner): number {
  if (!scanner.idle) return from;
  const hash = chunk.indexOf(HASH, from);
  return hash === -1 ? chunk.length : hash;
}
