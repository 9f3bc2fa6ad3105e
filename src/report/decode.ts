/** Turns an untrusted value into a `T`, or throws a {@link DecodeProblem} that says where it is wrong. */
export type Decoder<T> = (value: unknown, path: string) => T;

export class DecodeProblem extends Error {}

function refuse(path: string, wanted: string): never {
  throw new DecodeProblem(`${path || 'the report'} is not ${wanted}`);
}

export function text(max: number): Decoder<string> {
  return (value, path) =>
    typeof value === 'string' && value.length <= max ? value : refuse(path, `a text of at most ${max} characters`);
}

export const finite: Decoder<number> = (value, path) =>
  typeof value === 'number' && Number.isFinite(value) ? value : refuse(path, 'a number');

export const natural: Decoder<number> = (value, path) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : refuse(path, 'a whole number from 0');

export const flag: Decoder<boolean> = (value, path) =>
  typeof value === 'boolean' ? value : refuse(path, 'true or false');

export function oneOf<const T extends string | number>(...allowed: readonly T[]): Decoder<T> {
  return (value, path) => allowed.find((each) => each === value) ?? refuse(path, `one of ${allowed.join(', ')}`);
}

export function optional<T>(decoder: Decoder<T>): Decoder<T | undefined> {
  return (value, path) => (value === undefined ? undefined : decoder(value, path));
}

export function list<T>(item: Decoder<T>, max: number): Decoder<readonly T[]> {
  return (value, path) =>
    Array.isArray(value) && value.length <= max
      ? value.map((each, index) => item(each, `${path}[${index}]`))
      : refuse(path, `a list of at most ${max}`);
}

export function record<T>(item: Decoder<T>, max: number): Decoder<Readonly<Record<string, T>>> {
  return (value, path) => {
    const entries = Object.entries(plainObject(value, path));
    if (entries.length > max) refuse(path, `a map of at most ${max}`);
    return Object.fromEntries(entries.map(([key, each]) => [key, item(each, `${path}.${key.slice(0, 40)}`)]));
  };
}

/** Known fields only; a field that is absent or `undefined` stays away. */
export function object<T extends object>(fields: { readonly [Key in keyof T]-?: Decoder<T[Key]> }): Decoder<T> {
  const decoders = Object.entries(fields) as readonly [string, Decoder<unknown>][];
  return (value, path) => {
    const given = plainObject(value, path);
    const decoded = decoders.map(([key, decoder]) => {
      const own = Object.hasOwn(given, key) ? given[key] : undefined;
      return [key, decoder(own, path ? `${path}.${key}` : key)] as const;
    });
    return Object.fromEntries(decoded.filter(([, field]) => field !== undefined)) as T;
  };
}

function plainObject(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) refuse(path, 'an object');
  return value as Readonly<Record<string, unknown>>;
}
