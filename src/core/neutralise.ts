import { MarkerScanner } from './marker-scanner.ts';

/**
 * Text in which an Azure Pipelines agent finds no command: `##vso` and `##[` get a space before their last character
 * (`##vs o`, `## [`), wherever they stand, in any case, also with control or invisible characters in between. Everything
 * else stays as it is.
 */
export function neutralise(text: string): string {
  if (!TWO_HASHES.test(text)) return text;
  const scanner = new MarkerScanner();
  let safe = '';
  for (const character of text) {
    if (scanner.completesMarker(character.codePointAt(0) ?? 0)) safe += ' ';
    safe += character;
  }
  return safe;
}

/** With nothing between them but what a reader may drop. */
const TWO_HASHES = /#[\p{Cc}\p{Default_Ignorable_Code_Point}]*#/u;

/**
 * JSON in which no reader finds a command, and the same value: a hash behind a hash is written as its escape. For files and
 * attachments that a later step may print as they are.
 */
export function neutraliseJson(json: string): string {
  return json.replace(HASH_BEHIND_HASH, '\\u0023');
}

const HASH_BEHIND_HASH = /(?<=#[\p{Cc}\p{Default_Ignorable_Code_Point}]*)#/gu;
