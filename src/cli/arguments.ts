import { parseArgs } from 'node:util';
import type { Command } from './command.ts';
import { UsageError } from './usage-error.ts';

/** What was typed behind the name of a command, checked against what it takes. */
export class Arguments {
  readonly #values: Readonly<Record<string, string | boolean | readonly (string | boolean)[] | undefined>>;
  readonly #positionals: ReadonlyMap<string, string>;

  /** @throws {UsageError} */
  constructor(command: Command, argv: readonly string[]) {
    const { values, positionals } = parsed(command, argv);
    this.#values = values;
    this.#positionals = named(command, positionals);
    for (const [name, option] of Object.entries(command.options)) {
      if (option.required && values[name] === undefined) throw new UsageError(`--${name} ${option.value} is missing.`);
      const one = values[name];
      if (option.oneOf && typeof one === 'string' && !option.oneOf.includes(one))
        throw new UsageError(`--${name} is ${option.oneOf.join(', ')}.`);
    }
  }

  /** An option that the command requires, or a positional argument that it takes. */
  required(name: string): string {
    const value = this.optional(name);
    if (value === undefined) throw new TypeError(`${name} is not required by the command`);
    return value;
  }

  optional(name: string): string | undefined {
    const value = this.#positionals.get(name) ?? this.#values[name];
    return typeof value === 'string' ? value : undefined;
  }

  all(name: string): readonly string[] {
    const value = this.#values[name];
    return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
  }

  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  /** `NAME=VALUE` of a repeated option. @throws {UsageError} without the value, which may be a secret. */
  assignments(name: string): ReadonlyMap<string, string> {
    const map = new Map<string, string>();
    for (const text of this.all(name)) {
      const at = text.indexOf('=');
      if (at < 1) throw new UsageError(`--${name} takes NAME=VALUE.`);
      if (map.has(text.slice(0, at))) throw new UsageError(`--${name} gives ${text.slice(0, at)} twice.`);
      map.set(text.slice(0, at), text.slice(at + 1));
    }
    return map;
  }
}

function parsed({ options }: Command, argv: readonly string[]) {
  const shapes = Object.entries(options).map(([name, { value, repeated = false }]) => {
    const type = value === undefined ? ('boolean' as const) : ('string' as const);
    return [name, { type, multiple: repeated }] as const;
  });
  try {
    return parseArgs({ args: [...argv], allowPositionals: true, options: Object.fromEntries(shapes) });
  } catch (error) {
    // Node's words name options only: what follows one is never repeated.
    throw new UsageError((error as Error).message.split(/[.\n]/)[0], { cause: error });
  }
}

function named({ takes }: Command, positionals: readonly string[]): ReadonlyMap<string, string> {
  if (positionals.length > takes.length) throw new UsageError('There are too many arguments.');
  const missing = takes.slice(positionals.length).find((word) => !word.endsWith('?'));
  if (missing !== undefined) throw new UsageError(`${missing} is missing.`);
  return new Map(positionals.map((text, i) => [(takes[i] ?? '').replace('?', ''), text]));
}
