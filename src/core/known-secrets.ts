import type { Secret } from './secret.ts';
import { MINIMUM_PART_LENGTH, secretForms } from './secret-forms.ts';

/** A shorter secret inside a longer text is chance more often than not. */
const SHORTEST_INSIDE = 8;

/** Secrets that were told, to be found again in a text that must not hold one. */
export class KnownSecrets {
  readonly #forms = new Set<string>();

  add(secret: Secret): void {
    for (const form of secretForms(secret)) if (form.length >= MINIMUM_PART_LENGTH) this.#forms.add(form);
  }

  /** Whether the text is one of them in any of its forms, or holds one of at least eight characters. */
  isIn(text: string): boolean {
    if (this.#forms.has(text) || this.#forms.has(text.trim())) return true;
    for (const form of this.#forms) if (form.length >= SHORTEST_INSIDE && text.includes(form)) return true;
    return false;
  }
}
