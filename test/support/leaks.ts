import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { filesUnder } from '../../scripts/repository.ts';

/** Text that somebody may read, and where it stands. */
export interface Place {
  readonly place: string;
  readonly text: string;
}

/** Shorter pieces (an end of a wrapped line) occur by chance. */
const TELLING = 8;

/**
 * The spellings under which a secret may turn up: as it is, line by line, in JSON, Python, URLs and base64. Worked out
 * here and not by the product, whose list is what is being tested.
 */
export function spellings(secret: string): readonly string[] {
  const lines = secret.split(/\r?\n/);
  const parts = [...new Set([secret, ...lines, ...lines.map((line) => line.trim())])].filter(
    (part) => part.length >= TELLING && !/^-+[A-Z ]+-+$/.test(part),
  );
  return [...new Set(parts.flatMap(spelled))].filter((form) => form.length >= TELLING);
}

function spelled(text: string): readonly string[] {
  const json = JSON.stringify(text).slice(1, -1);
  const ascii = json.replace(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  const base64 = Buffer.from(text).toString('base64');
  const url = encodeURIComponent(text);
  return [text, json, ascii, url, url.replaceAll('%20', '+'), base64, Buffer.from(text).toString('base64url')];
}

/** Every file below a folder, with its name. */
export function textsBelow(folder: string, skip = (_name: string) => false): readonly Place[] {
  return filesUnder(folder)
    .filter((name) => !skip(name))
    .map((name) => ({ place: name, text: readFileSync(join(folder, name), 'utf8') }));
}

/**
 * Each place in which a spelling of one of these secrets stands, and which.
 * @param more spellings that somebody else worked out
 */
export function leaksOf(
  secrets: readonly string[],
  places: readonly Place[],
  more: readonly string[] = [],
): readonly string[] {
  const others = more.flatMap((form) => form.split(/[\r\n]/)).filter((line) => line.trim().length >= TELLING);
  const forms = [...new Set([...secrets.flatMap(spellings), ...others])];
  return places.flatMap(({ place, text }) =>
    forms.filter((form) => text.includes(form) || place.includes(form)).map((form) => `${place}: ${form}`),
  );
}
