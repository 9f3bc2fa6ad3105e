import { inspect } from 'node:util';

const HIDDEN = '***';

/**
 * A value that no log, template, JSON or inspection shows; only `reveal()` gives it, so that every use can be found.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }
}
