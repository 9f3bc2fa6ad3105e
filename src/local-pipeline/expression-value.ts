/** A value of an Azure Pipelines expression. */
export type Value = null | boolean | number | string | readonly Value[] | ValueMap;
export interface ValueMap {
  readonly [key: string]: Value;
}

/** An expression that cannot be read or evaluated; whoever knows the place adds it. */
export class ExpressionError extends Error {
  override readonly name = 'ExpressionError';
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

export function isMap(value: Value): value is ValueMap {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Conversion to boolean: null, 0 and the empty string are false; everything else is true. */
export function truthy(value: Value): boolean {
  return typeof value === 'object' ? value !== null : Boolean(value);
}

/** Conversion to text: `True` and `False`, null as empty; lists and maps have none. */
export function toText(value: Value): string {
  const text = textOf(value);
  if (text === undefined)
    throw new ExpressionError('a list or a map cannot be used as text; convertToJson can write it');
  return text;
}

function textOf(value: Value): string | undefined {
  if (value === null) return '';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return typeof value === 'object' ? undefined : String(value);
}

function numberOf(value: Value): number | undefined {
  if (value === null) return 0;
  if (typeof value === 'object') return undefined;
  if (typeof value === 'string' && value.trim() === '') return 0;
  const number = Number(value);
  return Number.isNaN(number) ? undefined : number;
}

/** `eq`: the right value is converted to the type of the left one; text is compared without case. */
export function equal(left: Value, right: Value): boolean {
  switch (typeof left) {
    case 'boolean':
      return left === truthy(right);
    case 'number':
      return left === numberOf(right);
    case 'string':
      return left.toLowerCase() === textOf(right)?.toLowerCase();
    default:
      return left === null ? right === null || right === '' : left === right;
  }
}

/** `lt`, `gt` and relatives: negative, zero or positive. @throws ExpressionError when the right value has no such type */
export function compare(left: Value, right: Value): number {
  if (typeof left === 'boolean') return Number(left) - Number(truthy(right));
  if (typeof left === 'string') {
    const [a, b] = [left.toLowerCase(), toText(right).toLowerCase()];
    return a < b ? -1 : Number(a > b);
  }
  const [a, b] = [numberOf(left), numberOf(right)];
  if (a === undefined || b === undefined)
    throw new ExpressionError(`cannot compare ${JSON.stringify(left)} with ${JSON.stringify(right)}`);
  return a - b;
}

/** A member of a map (names have no case) or of a list (by index); null when there is none. */
export function member(target: Value, key: Value): Value {
  if (isList(target)) return target[numberOf(key) ?? -1] ?? null;
  if (!isMap(target)) return null;
  const wanted = toText(key);
  if (Object.hasOwn(target, wanted)) return target[wanted] ?? null;
  const name = Object.keys(target).find((candidate) => candidate.toLowerCase() === wanted.toLowerCase());
  return name === undefined ? null : (target[name] ?? null);
}
