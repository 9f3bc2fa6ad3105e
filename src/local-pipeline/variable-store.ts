import type { SecretMasker } from './secret-masker.ts';

export interface Variable {
  readonly name: string;
  readonly value: string;
  readonly secret: boolean;
  readonly readOnly: boolean;
  readonly preserveCase: boolean;
  /** Made by the agent or the service, not by the pipeline. */
  readonly predefined: boolean;
}

export type VariableTraits = Partial<Pick<Variable, 'secret' | 'readOnly' | 'preserveCase' | 'predefined'>>;

const MACRO = /\$\(([^()]*)\)/g;
/** The agent stops to expand variables in variables at this depth. */
const DEEPEST = 50;

/** `Agent.TempDirectory` → `AGENT_TEMPDIRECTORY` (VarUtil.ConvertToEnvVariableFormat). */
export function environmentName(name: string, preserveCase = false): string {
  const plain = name.replaceAll('.', '_').replaceAll(' ', '_');
  return preserveCase ? plain : plain.toUpperCase();
}

/** `$(name)` replaced once, not again inside what was put in; an unknown name stays as it is written. */
export function expandMacros(text: string, lookUp: (name: string) => string | undefined): string {
  return text.replace(MACRO, (macro, name: string) => lookUp(name) ?? macro);
}

/** The variables of a job, or of a task: names without case, secrets registered with the masker, macros expanded. */
export class VariableStore {
  readonly #raw = new Map<string, Variable>();
  readonly #expanded = new Map<string, Variable>();
  readonly #masker: SecretMasker;

  constructor(masker: SecretMasker) {
    this.#masker = masker;
  }

  /** A variable once secret or read-only stays so. The new value holds at once; macros in it are expanded by `expandAll`. */
  set(name: string, value: string, traits: VariableTraits = {}): void {
    const key = name.toLowerCase();
    const before = this.#expanded.get(key);
    const variable: Variable = {
      name,
      value,
      secret: Boolean(traits.secret || before?.secret),
      readOnly: Boolean(traits.readOnly || before?.readOnly),
      preserveCase: Boolean(traits.preserveCase),
      predefined: Boolean(traits.predefined || before?.predefined),
    };
    if (variable.secret) this.#masker.add(value);
    this.#raw.set(key, variable);
    this.#expanded.set(key, variable);
  }

  /** Replaces for a scope; returns what puts the former value back. */
  setForScope(values: Readonly<Record<string, string>>): () => void {
    const before = Object.keys(values).map((name) => [name.toLowerCase(), this.#raw.get(name.toLowerCase())] as const);
    for (const [name, value] of Object.entries(values)) this.set(name, value, { predefined: true });
    return () => {
      for (const [key, variable] of before) this.#restore(key, variable);
    };
  }

  #restore(key: string, variable: Variable | undefined): void {
    if (variable) {
      this.#raw.set(key, variable);
      this.#expanded.set(key, variable);
    } else {
      this.#raw.delete(key);
      this.#expanded.delete(key);
    }
  }

  get(name: string): string | undefined {
    return this.#expanded.get(name.toLowerCase())?.value;
  }

  isReadOnly(name: string): boolean {
    return this.#expanded.get(name.toLowerCase())?.readOnly === true;
  }

  list(): readonly Variable[] {
    return [...this.#expanded.values()];
  }

  expand(text: string): string {
    return expandMacros(text, (name) => this.get(name));
  }

  /** Expands variables inside variables, as the agent does before every step. Cycles are left as they are. */
  expandAll(): void {
    for (const [key, variable] of this.#raw) {
      const { value, secret } = this.#resolve(variable, []);
      if (secret) this.#masker.add(value);
      this.#expanded.set(key, { ...variable, value, secret });
    }
  }

  #resolve(variable: Variable, path: readonly string[]): { value: string; secret: boolean } {
    let secret = variable.secret;
    const inside = [...path, variable.name.toLowerCase()];
    const value = expandMacros(variable.value, (name) => {
      const nested = this.#raw.get(name.toLowerCase());
      if (!nested || inside.includes(name.toLowerCase()) || inside.length > DEEPEST) return undefined;
      const resolved = this.#resolve(nested, inside);
      secret ||= resolved.secret;
      return resolved.value;
    });
    return { value, secret };
  }
}
