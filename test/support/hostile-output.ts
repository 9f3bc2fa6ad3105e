import assert from 'node:assert/strict';
import fc from 'fast-check';
import { MarkerScanner } from '#core/marker-scanner.ts';
import { neutraliseBytes } from '#core/neutralise-stream.ts';

const HIDDEN = ['\r', '\0', '\x1b', '\x07', '\x7f', '\u0085', '\u00ad', '\u200b', '\ufeff', '\u2060', '\u{e0001}'];
const PIECES = [
  '#',
  '##',
  '###',
  'v',
  'vso',
  'VsO',
  's',
  'ſ',
  'o',
  '[',
  ']',
  '\n',
  '\r\n',
  ' ',
  'x',
  'é',
  '日',
  '😀',
  ...HIDDEN,
];
/** Text made of what markers are made of, and of what readers drop or fold. */
export const hostileMarkers = fc.array(fc.constantFrom(...PIECES), { maxLength: 60 }).map((pieces) => pieces.join(''));
/** The same as bytes, and bytes that are no text. */
export const hostileBytes = fc.oneof(
  hostileMarkers.map((text) => Buffer.from(text)),
  fc
    .array(fc.oneof(fc.constantFrom(...Buffer.from('##vso[#[VSO\n\r\0')), fc.integer({ min: 0, max: 255 })), {
      maxLength: 80,
    })
    .map(Buffer.from),
);

/** What some reader may make of a text: any way to end lines, any of what it drops, with and without case. */
function readings(text: string): string[] {
  const drops = [/[\p{Cc}]/gu, /[\p{Cc}\p{Default_Ignorable_Code_Point}]/gu, /[^\P{Cc}\n]|\ufffd/gu];
  return [/\n/, /\r\n|\r|\n/, /\r\n|\n/].flatMap((ends) =>
    text.split(ends).flatMap((line) => [line, ...drops.map((drop) => line.replace(drop, ''))]),
  );
}

/** Whether any reader finds the beginning of a command in it. */
export function hasMarker(text: string): boolean {
  return readings(text).some((line) => /##(vso|\[)/iu.test(line));
}

/** The bytes as the stream passes them on when they come in such chunks. */
export function inChunks(bytes: Buffer, cuts: readonly number[]): Buffer {
  const scanner = new MarkerScanner();
  const at = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  return Buffer.concat(at.slice(1).map((end, i) => neutraliseBytes(bytes.subarray(at[i], end), scanner)));
}

/** Fails when a reader still finds a marker, or when anything but spaces was added. */
export function checkNeutralised(bytes: Buffer, cuts: readonly number[]): void {
  const safe = inChunks(bytes, cuts);
  assert.ok(!hasMarker(safe.toString('utf8')));
  assert.ok(!hasMarker(safe.toString('latin1').replace(/[\x80-\x9f]/g, '')));
  assert.equal(safe.toString('latin1').replaceAll(' ', ''), bytes.toString('latin1').replaceAll(' ', ''));
}
