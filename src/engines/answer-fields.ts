/** A field of an answer is missing, or is not what it has to be. The message names it and never quotes it. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError';
}

/** Characters that are kept of a text; the rest is cut. */
const LONGEST_TEXT = 8_000;
/** A name or an id that is longer is refused: cut, it would be another one. */
const LONGEST_NAME = 4_000;
const LONGEST_LIST = 200_000;
const MOST_ENTRIES = 2_000;
/** 9999-12-31, the last day that a date of Node shows with four digits. */
const LAST_TIME = 253_402_300_799_999;

/** Reads an object that somebody else made: every field is checked, every text has a longest length. */
export class Fields {
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #where: string;

  /** @throws {AnswerError} when `value` is no object */
  constructor(value: unknown, where: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new AnswerError(`${where} is no object`);
    this.#fields = value as Record<string, unknown>;
    this.#where = where;
  }

  has(name: string): boolean {
    const value = this.#value(name);
    return value !== undefined && value !== null;
  }

  /** A text that people read; cut when it is too long. */
  text(name: string, longest = LONGEST_TEXT): string {
    const value = this.#value(name);
    if (typeof value !== 'string') throw this.#wrong(name, 'text');
    return value.slice(0, longest);
  }

  maybeText(name: string, longest?: number): string | undefined {
    return this.has(name) ? this.text(name, longest) : undefined;
  }

  /** A text that identifies something. */
  name(name: string): string {
    return asName(this.#value(name), () => this.#wrong(name, `a name of 1 to ${LONGEST_NAME} characters`));
  }

  maybeName(name: string): string | undefined {
    return this.has(name) ? this.name(name) : undefined;
  }

  matching(name: string, pattern: RegExp): string {
    const value = this.#value(name);
    if (typeof value === 'string' && pattern.test(value)) return value;
    throw this.#wrong(name, 'of its form');
  }

  oneOf<const Choice extends string>(name: string, choices: readonly Choice[]): Choice {
    const found = choices.find((choice) => choice === this.#value(name));
    if (found === undefined) throw this.#wrong(name, `one of ${choices.join(', ')}`);
    return found;
  }

  /** As it is, also when it is missing or `null`. */
  value(name: string): unknown {
    return this.#value(name);
  }

  /** Names of the fields that it has; at most 2,000. */
  keys(): readonly string[] {
    return Object.keys(this.#fields).slice(0, MOST_ENTRIES);
  }

  /** Every field as it is. */
  all(): Readonly<Record<string, unknown>> {
    return this.#fields;
  }

  flag(name: string): boolean {
    const value = this.#value(name);
    if (typeof value !== 'boolean') throw this.#wrong(name, 'true or false');
    return value;
  }

  /** `false` when it is missing or `null`. */
  maybeFlag(name: string): boolean {
    return this.has(name) && this.flag(name);
  }

  number(name: string, { from, to }: { readonly from: number; readonly to: number }): number {
    const value = this.#value(name);
    if (typeof value === 'number' && value >= from && value <= to) return value;
    throw this.#wrong(name, `a number from ${from} to ${to}`);
  }

  count(name: string): number {
    return Math.floor(this.number(name, { from: 0, to: Number.MAX_SAFE_INTEGER }));
  }

  /** Milliseconds since the epoch. */
  time(name: string): number {
    return this.number(name, { from: 0, to: LAST_TIME });
  }

  /** Milliseconds since the epoch, of an ISO 8601 text with an offset. */
  maybeDate(name: string): number | undefined {
    if (!this.has(name)) return undefined;
    const time = isoTime(this.#value(name));
    if (time === undefined) throw this.#wrong(name, 'a date with time and offset');
    return time;
  }

  maybeTime(name: string): number | undefined {
    return this.has(name) ? this.time(name) : undefined;
  }

  object(name: string): Fields {
    return new Fields(this.#value(name), `${this.#where}.${name}`);
  }

  maybeObject(name: string): Fields | undefined {
    return this.has(name) ? this.object(name) : undefined;
  }

  objects(name: string): readonly Fields[] {
    return this.list(name).map((item, index) => new Fields(item, `${this.#where}.${name}[${index}]`));
  }

  names(name: string): readonly string[] {
    return this.list(name).map((item) => asName(item, () => this.#wrong(name, 'a list of names')));
  }

  /** Name → text. */
  texts(name: string): Readonly<Record<string, string>> {
    const entries = Object.entries(this.object(name).#fields).slice(0, MOST_ENTRIES);
    return Object.fromEntries(
      entries.map(([key, value]) => {
        if (typeof value !== 'string') throw this.#wrong(name, 'a map of texts');
        return [key.slice(0, LONGEST_NAME), value.slice(0, LONGEST_TEXT)];
      }),
    );
  }

  list(name: string): readonly unknown[] {
    const value = this.#value(name);
    if (Array.isArray(value) && value.length <= LONGEST_LIST) return value;
    throw this.#wrong(name, `a list of at most ${LONGEST_LIST}`);
  }

  #value(name: string): unknown {
    return Object.hasOwn(this.#fields, name) ? this.#fields[name] : undefined;
  }

  #wrong(name: string, expected: string): AnswerError {
    return new AnswerError(`${this.#where}.${name} is not ${expected}`);
  }
}

const ISO_DATE = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:?\d{2})$/;

function isoTime(value: unknown): number | undefined {
  if (typeof value !== 'string' || !ISO_DATE.test(value)) return undefined;
  const time = Date.parse(value);
  return Number.isNaN(time) ? undefined : time;
}

function asName(value: unknown, wrong: () => AnswerError): string {
  if (typeof value === 'string' && value !== '' && value.length <= LONGEST_NAME) return value;
  throw wrong();
}
