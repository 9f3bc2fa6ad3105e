import { identifier } from '../claim-shape.ts';
import type { JsonObject } from '../strict-json.ts';
import { refused } from '../token-refused.ts';

const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const DIGITS = /^\d{1,20}$/;
const LONGEST = 1_024;

/** Reads claims of a token as the types that its issuer documents; a number where a text belongs is refused, not turned into one. */
export class ClaimReader {
  readonly #claims: JsonObject;

  constructor(claims: JsonObject) {
    this.#claims = claims;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#claims, name);
  }

  /** @throws {PlumblineError} `ERR_TOKEN_CLAIMS` when it is missing or no clean text; so do the others. */
  text(name: string, longest?: number): string {
    return identifier(this.has(name) ? this.#claims[name] : undefined, name, longest);
  }

  optionalText(name: string): string | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#claims[name];
    // Issuers write what a run does not have as empty text or null.
    return value === '' || value === null ? undefined : identifier(value, name, LONGEST);
  }

  /** A number written as text, as GitLab, GitHub and Azure DevOps write ids. */
  digits(name: string): string {
    return this.#of(DIGITS, name);
  }

  /** In lower case. */
  guid(name: string): string {
    return this.#of(GUID, name).toLowerCase();
  }

  /** The texts `true` and `false`, as GitLab and GitHub write them. */
  optionalFlag(name: string): boolean | undefined {
    const text = this.optionalText(name);
    if (text === undefined) return undefined;
    if (text !== 'true' && text !== 'false') throw refused('claim', { field: name });
    return text === 'true';
  }

  /** An object inside the claims. */
  object(name: string): ClaimReader {
    const value = this.has(name) ? this.#claims[name] : undefined;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused('claim', { field: name });
    return new ClaimReader(value as JsonObject);
  }

  #of(form: RegExp, name: string): string {
    const text = this.text(name);
    if (!form.test(text)) throw refused('claim', { field: name });
    return text;
  }
}
