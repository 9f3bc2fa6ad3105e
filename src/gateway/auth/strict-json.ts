import type { JsonValue } from '#core/json.ts';
import { refused } from './token-refused.ts';

export type JsonObject = Readonly<Record<string, JsonValue>>;

const DEEPEST = 16;
/** Strings and brackets of a text that is known to be JSON; nothing else of it decides names or depth. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]]/g;
const COLON = /\s*:/y;

/**
 * A JSON object that every reader understands alike: UTF-8 without a byte order mark, no name twice in an object however it
 * is escaped, no own `__proto__`, at most sixteen levels.
 *
 * @throws {PlumblineError} `ERR_TOKEN_MALFORMED`: `encoding`, `json`, `duplicate-key` or `depth`.
 */
export function parseStrictObject(bytes: Uint8Array): JsonObject {
  const text = decoded(bytes);
  const value = parsed(text);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused('json');
  checkNames(text);
  return value as JsonObject;
}

function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refused('encoding');
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text.
    throw refused('json');
  }
}

/** Names seen so far in each object that is open; `undefined` for an array. */
type Open = (Set<string> | undefined)[];

function checkNames(text: string): void {
  const open: Open = [];
  for (const { 0: token, index } of text.matchAll(TOKENS)) {
    if (token.startsWith('"')) checkName(open, token, text, index + token.length);
    else step(open, token);
  }
}

function step(open: Open, bracket: string): void {
  if (bracket === '}' || bracket === ']') open.pop();
  else open.push(bracket === '{' ? new Set() : undefined);
  if (open.length > DEEPEST) throw refused('depth');
}

function checkName(open: Open, token: string, text: string, end: number): void {
  COLON.lastIndex = end;
  if (!COLON.test(text)) return;
  const name: string = JSON.parse(token);
  const names = open.at(-1);
  if (names?.has(name)) throw refused('duplicate-key');
  // JSON.parse makes it an own property, which a later copy of the object would turn into a prototype.
  if (name === '__proto__') throw refused('json');
  names?.add(name);
}
