import { wellFormed } from './well-formed.ts';

/** Reads the agent's variables and remembers which needed ones were missing, so that they are named all together. */
export class Variables {
  readonly #variable: (name: string) => string | undefined;
  readonly #missing = new Set<string>();

  constructor(variable: (name: string) => string | undefined) {
    this.#variable = variable;
  }

  get missing(): readonly string[] {
    return [...this.#missing];
  }

  /** The trimmed value; `undefined` when it is empty or a macro that nobody replaced. */
  get(name: string): string | undefined {
    const value = wellFormed(this.#variable(name)?.trim() ?? '');
    return value && value.toLowerCase() !== `$(${name.toLowerCase()})` ? value : undefined;
  }

  /** The value, or an empty text that is noted as missing. */
  need(name: string): string {
    const value = this.get(name);
    if (value === undefined) this.#missing.add(name);
    return value ?? '';
  }

  /** A number that counts from 1, such as an attempt; 1 when it is not set. */
  count(name: string): number {
    const value = Number(this.get(name));
    return Number.isSafeInteger(value) && value > 0 ? value : 1;
  }

  /** A boolean as the service spells it, `True` and `False`. */
  flag(name: string): boolean | undefined {
    const value = this.get(name)?.toLowerCase();
    return value === 'true' ? true : value === 'false' ? false : undefined;
  }

  /** An instant in ISO 8601, UTC. The service writes `2026-11-20 03:00:05+00:00`. */
  instant(name: string): string | undefined {
    const value = this.get(name)?.replace(/^(\d{4}-\d{2}-\d{2}) /, '$1T');
    const ms = value === undefined ? Number.NaN : Date.parse(value);
    return Number.isNaN(ms) ? undefined : new Date(ms).toISOString();
  }

  /** Id and display name; a name that is an e-mail address is left out. */
  person(idName: string, displayName: string): { readonly id?: string; readonly name?: string } | undefined {
    const id = this.get(idName);
    const name = this.get(displayName);
    if (id === undefined && name === undefined) return undefined;
    return { ...(id && { id }), ...(name && !name.includes('@') && { name }) };
  }
}
