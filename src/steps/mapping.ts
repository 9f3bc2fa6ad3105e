import type { JsonValue } from '#core/json.ts';

const LINE = /^\s*([\p{L}_][\p{L}\p{N}_.-]*)\s*=(.*)$/u;

export class MappingSyntaxError extends Error {
  override readonly name = 'MappingSyntaxError';
}

/**
 * Reads a multi-line input as a map: `key=value` lines, YAML or JSON.
 *
 * A plain scalar stays the text that was written (`007`, `1.10`, `yes`), because Luigi parses parameters itself; inside a
 * list or a map the usual YAML 1.2 types apply. Empty text gives an empty map. Lines that start with `#` are comments.
 * @throws {MappingSyntaxError} what is wrong, with the line; never a value.
 */
export async function parseMapping(text: string): Promise<ReadonlyMap<string, JsonValue>> {
  return parse(text, (node, document, name) => (isScalarNode(node) ? scalarText(node) : nested(node, document, name)));
}

/**
 * The same with the types of YAML 1.2 everywhere: `2` is a number, `true` a boolean, `~` or nothing is null, `yes` and a date are text.
 * `key=value` lines are text. What JSON cannot express, and whole numbers that it would not keep, are refused.
 * @throws {MappingSyntaxError} what is wrong, with the line; never a value.
 */
export async function parseTypedMapping(text: string): Promise<ReadonlyMap<string, JsonValue>> {
  return parse(text, (node, document, name) => (node === null ? null : nested(node, document, name)));
}

type ReadValue = (node: unknown, document: object, name: string) => JsonValue;

async function parse(text: string, read: ReadValue): Promise<ReadonlyMap<string, JsonValue>> {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.trimStart().startsWith('#'));
  if (lines.length === 0) return new Map();
  if (lines.every((line) => LINE.test(line))) return fromLines(lines);
  return fromYaml(text, read);
}

function fromLines(lines: readonly string[]): ReadonlyMap<string, JsonValue> {
  const map = new Map<string, JsonValue>();
  for (const line of lines) {
    const [, key = '', value = ''] = LINE.exec(line) ?? [];
    if (map.has(key)) throw new MappingSyntaxError(`'${key}' is given twice`);
    map.set(key, value.trim());
  }
  return map;
}

async function fromYaml(text: string, read: ReadValue): Promise<ReadonlyMap<string, JsonValue>> {
  const { isMap, isScalar, parseDocument } = await import('yaml');
  const document = bounded('it', () => parseDocument(text, { prettyErrors: false, merge: false }));
  const [error] = document.errors;
  if (error) throw new MappingSyntaxError(`line ${lineOf(text, error.pos[0])}: ${withoutValues(error.code)}`);
  if (!isMap(document.contents)) throw new MappingSyntaxError('it is neither a map nor key=value lines');
  const map = new Map<string, JsonValue>();
  for (const { key, value } of document.contents.items) {
    const name = isScalar(key) ? String(key.source ?? key.value) : '';
    if (name === '') throw new MappingSyntaxError('a key is not plain text');
    // For YAML `1` and `"1"` are two keys.
    if (map.has(name)) throw new MappingSyntaxError(`'${name}' is given twice`);
    map.set(name, read(value, document, name));
  }
  return map;
}

interface Scalar {
  readonly source?: string;
  readonly value: unknown;
}

/** A collection has items, an alias a source and no value. */
function isScalarNode(node: unknown): node is Scalar {
  return typeof node === 'object' && node !== null && 'value' in node;
}

function scalarText(scalar: Scalar): string {
  if (scalar.value === null) return '';
  return typeof scalar.value === 'string' ? scalar.value : (scalar.source ?? String(scalar.value));
}

function nested(node: unknown, document: object, name: string): JsonValue {
  if (node === null) return '';
  return bounded(`'${name}'`, () => {
    const value = (node as { toJS(document: object): unknown }).toJS(document);
    if (!isJson(value)) throw new MappingSyntaxError(`'${name}' holds something that JSON cannot express`);
    return value;
  });
}

/** The parser throws plain errors at aliases that lead nowhere, that multiply or go in a circle, and at too many levels. */
function bounded<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof ReferenceError) throw new MappingSyntaxError(`${what} uses an alias that cannot be resolved`);
    if (error instanceof RangeError) throw new MappingSyntaxError(`${what} is nested too deep`);
    throw error;
  }
}

function isJson(value: unknown): value is JsonValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return true;
  if (typeof value === 'number')
    return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value));
  if (Array.isArray(value)) return value.every(isJson);
  return isPlainObject(value) && Object.values(value).every(isJson);
}

/** Tags such as `!!binary` and `!!set` make objects of other classes. */
function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function lineOf(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

/** The parser's message may quote the text; its code does not. */
function withoutValues(code: string): string {
  return code.toLowerCase().replaceAll('_', ' ');
}
