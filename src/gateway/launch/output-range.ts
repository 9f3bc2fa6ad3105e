import { MarkerScanner } from '#core/marker-scanner.ts';

const BRACKET = 0x5b;
const WINDOW = 64 * 1024;
/** What stands in the place of a character that would complete a command: text keeps its length, so that ranges fit together. */
const OPEN_PARENTHESIS = 0x28;
const ZERO = 0x30;
/** Every way in which a command may have begun before the bytes that can be seen. */
const BEGINNINGS = ['', '#', '##', '##v', '##vs'];

/** How far before a range one must read to know whether a command begins there. */
export function windowStart(start: number): number {
  return Math.max(0, start - WINDOW);
}

/**
 * A range of a log in which an agent finds no command: of `##[` the bracket becomes `(`, of `##vso` the last letter `0`, also with
 * invisible characters in between. The same byte comes out the same in whatever ranges the log is read.
 * @param bytes from `windowStart(start)` on
 * @param before how many of them stand before the range
 */
export function neutraliseRange(bytes: Buffer, before: number, isBeginning: boolean): Buffer {
  const scanners = scannersAt(bytes, before, isBeginning);
  const range = Buffer.from(bytes.subarray(before));
  for (let at = nextHash(range, 0, scanners); at < range.length; at = nextHash(range, at + 1, scanners)) {
    const byte = range[at] as number;
    // Each must see every byte.
    const completes = scanners.filter((scanner) => scanner.byteCompletesMarker(byte)).length > 0;
    if (completes) range[at] = byte === BRACKET ? OPEN_PARENTHESIS : ZERO;
  }
  return range;
}

/** One that knows all, or when what stands before cannot be known, one for each way that it may have begun. */
function scannersAt(bytes: Buffer, before: number, isBeginning: boolean): readonly MarkerScanner[] {
  let sync = before;
  while (sync > 0 && !resets(bytes[sync - 1] as number)) sync -= 1;
  const beginnings = sync === 0 && !isBeginning ? BEGINNINGS : [''];
  return beginnings.map((beginning) => primed(Buffer.concat([Buffer.from(beginning), bytes.subarray(sync, before)])));
}

function primed(bytes: Buffer): MarkerScanner {
  const scanner = new MarkerScanner();
  for (const byte of bytes) scanner.byteCompletesMarker(byte);
  return scanner;
}

/** Whether a scanner knows nothing any more behind this byte, whatever it knew before: printable ASCII that is part of no command. */
function resets(byte: number): boolean {
  return byte === 0x0a || (byte >= 0x20 && byte < 0x7f && !'#vVsSoO['.includes(String.fromCharCode(byte)));
}

/** Outside a beginning command only the next hash matters. */
function nextHash(range: Buffer, from: number, scanners: readonly MarkerScanner[]): number {
  if (!scanners.every((scanner) => scanner.idle)) return from;
  const hash = range.indexOf(0x23, from);
  return hash === -1 ? range.length : hash;
}
