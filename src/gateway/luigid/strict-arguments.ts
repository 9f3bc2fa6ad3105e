import type { JsonValue } from '#core/json.ts';

export type Arguments = Readonly<Record<string, JsonValue>>;

const DEEPEST = 32;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
/** Fewer digits than this are always kept exactly. */
const SAFE_DIGITS = 15;

/**
 * A JSON object that Python and this gateway read alike: no name twice in an object however it is escaped, no `__proto__`, at
 * most 32 levels, and no number that becomes another one.
 *
 * @returns why it is none: `json`, `duplicate-key`, `depth`, `number`
 */
export function strictArguments(text: string): Arguments | string {
  let value: JsonValue;
  try {
    value = JSON.parse(text);
  } catch {
    return 'json';
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'json';
  return new Scan(text).problem() ?? (value as Arguments);
}

/** Goes once over a text that is known to be JSON; names, levels and numbers are all that it looks at. */
class Scan {
  readonly #text: string;
  /** Names so far of each object that is open; `undefined` for an array. */
  readonly #open: (Set<string> | undefined)[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  problem(): string | undefined {
    const { length } = this.#text;
    while (this.#at < length) {
      const why = this.#step(this.#text.charCodeAt(this.#at));
      if (why !== undefined) return why;
    }
    return undefined;
  }

  #step(code: number): string | undefined {
    if (code === QUOTE) return this.#string();
    if (code === 0x2d || (code >= 0x30 && code <= 0x39)) return this.#number();
    this.#at += 1;
    if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      this.#open.push(code === OPEN_OBJECT ? new Set() : undefined);
      return this.#open.length > DEEPEST ? 'depth' : undefined;
    }
    if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) this.#open.pop();
    return undefined;
  }

  #string(): string | undefined {
    const begin = this.#at;
    const text = this.#text;
    let at = begin + 1;
    let escaped = false;
    for (let code = text.charCodeAt(at); code !== QUOTE; code = text.charCodeAt(at)) {
      if (code === BACKSLASH) escaped = true;
      at += code === BACKSLASH ? 2 : 1;
    }
    at += 1;
    while (text.charCodeAt(at) <= 0x20) at += 1;
    this.#at = at;
    return text.charCodeAt(at) === COLON ? this.#name(begin, escaped) : undefined;
  }

  #name(begin: number, escaped: boolean): string | undefined {
    const end = this.#text.lastIndexOf('"', this.#at);
    const name = escaped ? JSON.parse(this.#text.slice(begin, end + 1)) : this.#text.slice(begin + 1, end);
    const names = this.#open.at(-1);
    if (names?.has(name)) return 'duplicate-key';
    // JSON.parse makes it an own property, which a later copy of the object would turn into a prototype.
    if (name === '__proto__') return 'json';
    names?.add(name);
    return undefined;
  }

  #number(): string | undefined {
    const begin = this.#at;
    let plain = true;
    for (this.#at += 1; this.#at < this.#text.length; this.#at += 1) {
      const code = this.#text.charCodeAt(this.#at);
      // Digits, `.`, `+`, `-`, `E` and `e`.
      if (code >= 0x30 && code <= 0x39) continue;
      if (code !== 0x2e && code !== 0x2b && code !== 0x2d && code !== 0x45 && code !== 0x65) break;
      plain = false;
    }
    if (plain && this.#at - begin <= SAFE_DIGITS) return undefined;
    const value = Number(this.#text.slice(begin, this.#at));
    return Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value)) ? undefined : 'number';
  }
}
