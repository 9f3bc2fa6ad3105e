const MASK = '***';
/** The agent refuses to ignore secrets of this length or more (LoggedSecretMasker). */
const LONGEST_IGNORED = 5;
const URL_PASSWORD = /(?<=:\/\/[^:/?#\s@]*:)[^@/?#\s]+(?=@)/g;

/** The forms of one value that the agent masks: itself, inside a JSON string, URI-escaped, with doubled backslashes undone. */
const ENCODERS: readonly ((value: string) => string)[] = [
  (value) => value,
  (value) => JSON.stringify(value).slice(1, -1),
  (value) => encodeURIComponent(Buffer.from(value).toString()),
  (value) => value.replaceAll('\\\\', '\\'),
];

/** Replaces every occurrence of every known secret; overlapping and touching ones become one mask. */
export class SecretMasker {
  readonly #values = new Set<string>();
  #shortest = 0;

  /** `AZP_IGNORE_SECRETS_SHORTER_THAN`: shorter values are not masked; never more than five characters. */
  ignoreShorterThan(length: number): void {
    this.#shortest = Math.min(length, LONGEST_IGNORED + 1);
    for (const value of this.#values) if (value.length < this.#shortest) this.#values.delete(value);
  }

  /** The exact value, as `task.setsecret` and secret variables add it. */
  add(value: string): void {
    if (value === '') return;
    for (const encode of ENCODERS) {
      const form = encode(value);
      if (form.length > 0 && form.length >= this.#shortest) this.#values.add(form);
    }
  }

  /** A value that the job brings along (a connection's parameter): also without quotes and white space around it. */
  addSupplied(value: string): void {
    const unquoted = /^(["'`])(.*)\1$/s.exec(value)?.[2] ?? '';
    for (const form of [value, unquoted, value.trim()]) this.add(form);
  }

  /**
   * A secret variable that the job begins with: also escaped as in a command, and as base64. As on an agent the lines of
   * a secret with several lines are not masked one by one: that is up to the task.
   */
  addVariable(value: string): void {
    if (value.trim() === '') return;
    const escaped = value.replaceAll('\r', '%0D').replaceAll('\n', '%0A');
    for (const form of [value, escaped, escaped.replaceAll('%', '%AZP25'), Buffer.from(value).toString('base64')])
      this.addSupplied(form);
  }

  mask(text: string): string {
    return this.#maskValues(text).replace(URL_PASSWORD, MASK);
  }

  #maskValues(text: string): string {
    const ranges = this.#ranges(text);
    let masked = '';
    let from = 0;
    for (const [start, end] of ranges) {
      masked += text.slice(from, start) + MASK;
      from = end;
    }
    return masked + text.slice(from);
  }

  #ranges(text: string): [number, number][] {
    const found: [number, number][] = [];
    for (const value of this.#values) {
      for (let at = text.indexOf(value); at >= 0; at = text.indexOf(value, at + 1)) found.push([at, at + value.length]);
    }
    found.sort(([a], [b]) => a - b);
    return found.reduce<[number, number][]>((merged, range) => {
      const last = merged.at(-1);
      if (last && range[0] <= last[1]) last[1] = Math.max(last[1], range[1]);
      else merged.push(range);
      return merged;
    }, []);
  }
}
