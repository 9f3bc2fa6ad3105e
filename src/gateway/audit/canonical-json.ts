import type { JsonValue } from '#core/json.ts';
import { wellFormed } from '#core/well-formed.ts';

/** What can be encoded: JSON, and `undefined` for a field that is left out. */
export type Encodable = JsonValue | undefined | readonly Encodable[] | { readonly [key: string]: Encodable };

const DEEPEST = 32;

/**
 * JSON in the one form of RFC 8785: no white space, keys sorted by UTF-16 code units, numbers and strings as ECMAScript
 * writes them. A lone surrogate becomes U+FFFD, a field that is `undefined` is left out.
 *
 * @throws {TypeError} for what JSON cannot hold (NaN, functions, class instances) or what is nested deeper than 32
 */
export function canonicalJson(value: Encodable): string {
  return encode(value, 0);
}

function encode(value: Encodable, depth: number): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return JSON.stringify(wellFormed(value));
  if (typeof value === 'number') return encodeNumber(value);
  if (typeof value !== 'object') throw new TypeError(`Canonical JSON cannot hold ${typeof value}`);
  if (depth >= DEEPEST) throw new TypeError(`Canonical JSON is nested deeper than ${DEEPEST}`);
  return Array.isArray(value) ? encodeList(value, depth) : encodeObject(value as FieldsOf, depth);
}

type FieldsOf = { readonly [key: string]: Encodable };

function encodeNumber(value: number): string {
  if (!Number.isFinite(value)) throw new TypeError(`Canonical JSON cannot hold ${value}`);
  return JSON.stringify(value);
}

function encodeList(list: readonly Encodable[], depth: number): string {
  return `[${list.map((item) => encode(item ?? null, depth + 1)).join(',')}]`;
}

function encodeObject(fields: FieldsOf, depth: number): string {
  const prototype = Object.getPrototypeOf(fields);
  if (prototype !== Object.prototype && prototype !== null)
    throw new TypeError(`Canonical JSON cannot hold an instance of ${prototype.constructor?.name}`);
  const present = Object.keys(fields).filter((key) => fields[key] !== undefined);
  const pairs = present.map((key) => [wellFormed(key), encode(fields[key], depth + 1)] as const);
  // Code units, not `localeCompare`: the order must be the same on every machine.
  pairs.sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${pairs.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(',')}}`;
}
