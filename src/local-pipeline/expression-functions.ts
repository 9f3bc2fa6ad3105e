import { compare, ExpressionError, equal, isList, isMap, toText, truthy, type Value } from './expression-value.ts';

/** Arguments arrive unevaluated, so that `and`, `or`, `iif` and `coalesce` stop as early as the service does. */
export interface ExpressionFunction {
  readonly min: number;
  readonly max: number;
  call(args: readonly (() => Value)[]): Value;
}

const eager = (min: number, max: number, call: (...args: Value[]) => Value): ExpressionFunction => ({
  min,
  max,
  call: (args) => call(...args.map((arg) => arg())),
});
const anyNumber = Number.POSITIVE_INFINITY;
const text = (value: Value | undefined) => toText(value ?? null);
const folded = (value: Value | undefined) => text(value).toLowerCase();

/** Every general function that the local pipeline knows, by lower-case name. Status functions depend on where they are used. */
export const FUNCTIONS: Readonly<Record<string, ExpressionFunction>> = {
  and: { min: 2, max: anyNumber, call: (args) => args.every((arg) => truthy(arg())) },
  or: { min: 2, max: anyNumber, call: (args) => args.some((arg) => truthy(arg())) },
  iif: { min: 3, max: 3, call: ([test, yes, no]) => (truthy(test?.() ?? null) ? yes : no)?.() ?? null },
  coalesce: { min: 2, max: anyNumber, call: coalesce },
  not: eager(1, 1, (value) => !truthy(value ?? null)),
  xor: eager(2, 2, (left, right) => truthy(left ?? null) !== truthy(right ?? null)),
  eq: eager(2, 2, (left, right) => equal(left ?? null, right ?? null)),
  ne: eager(2, 2, (left, right) => !equal(left ?? null, right ?? null)),
  gt: eager(2, 2, (left, right) => compare(left ?? null, right ?? null) > 0),
  ge: eager(2, 2, (left, right) => compare(left ?? null, right ?? null) >= 0),
  lt: eager(2, 2, (left, right) => compare(left ?? null, right ?? null) < 0),
  le: eager(2, 2, (left, right) => compare(left ?? null, right ?? null) <= 0),
  in: eager(2, anyNumber, (needle, ...others) => others.some((other) => equal(needle ?? null, other))),
  notin: eager(2, anyNumber, (needle, ...others) => !others.some((other) => equal(needle ?? null, other))),
  contains: eager(2, 2, (whole, part) => folded(whole).includes(folded(part))),
  containsvalue: eager(2, 2, (whole, wanted) => members(whole ?? null).some((item) => equal(item, wanted ?? null))),
  startswith: eager(2, 2, (whole, part) => folded(whole).startsWith(folded(part))),
  endswith: eager(2, 2, (whole, part) => folded(whole).endsWith(folded(part))),
  format: eager(1, anyNumber, (pattern, ...values) => format(text(pattern), values)),
  join: eager(2, 2, (separator, whole) => join(text(separator), whole ?? null)),
  lower: eager(1, 1, (value) => text(value).toLowerCase()),
  upper: eager(1, 1, (value) => text(value).toUpperCase()),
  trim: eager(1, 1, (value) => text(value).trim()),
  replace: eager(3, 3, (whole, old, fresh) => text(whole).replaceAll(text(old), text(fresh))),
  split: eager(2, 2, (whole, separators) => splitAt(text(whole), text(separators))),
  length: eager(1, 1, (value) =>
    isList(value ?? null) || isMap(value ?? null) ? members(value ?? null).length : text(value).length,
  ),
  converttojson: eager(1, 1, (value) => JSON.stringify(value, null, 2)),
  /** The service counts per pipeline; a local run is always the first. */
  counter: eager(0, 2, (_prefix, seed) => seed ?? 0),
};

function coalesce(args: readonly (() => Value)[]): Value {
  for (const arg of args) {
    const value = arg();
    if (value !== null && value !== '') return value;
  }
  return null;
}

function members(value: Value): readonly Value[] {
  if (isList(value)) return value;
  return isMap(value) ? Object.values(value) : [];
}

function join(separator: string, whole: Value): string {
  if (!isList(whole)) return toText(whole);
  return whole.map((item) => (typeof item === 'object' && item !== null ? '' : toText(item))).join(separator);
}

/** Each character of `separators` separates. */
function splitAt(whole: string, separators: string): string[] {
  const parts = [''];
  for (const character of whole) {
    if (separators.includes(character)) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts;
}

function format(pattern: string, values: readonly Value[]): string {
  return pattern.replace(/\{\{|\}\}|\{(\d+)\}|[{}]/g, (found, index?: string) => {
    if (found === '{{' || found === '}}') return found.charAt(0);
    const value = index === undefined ? undefined : values[Number(index)];
    if (value === undefined) throw new ExpressionError(`the format '${pattern}' has no value for '${found}'`);
    return toText(value);
  });
}
