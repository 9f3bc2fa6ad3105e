/**
 * A pattern in which `*` is any text without `.` and `/`, also none, and `**` is any text. Everything else stands for
 * itself; the case matters. All ways through the pattern are followed at once, so that time grows with text × pattern and
 * never faster.
 */
export class Glob {
  readonly pattern: string;
  /** Its characters, `*` and `**`, in order. */
  readonly tokens: readonly string[];
  /** What every match begins with. */
  readonly #start: string;

  constructor(pattern: string) {
    this.pattern = pattern;
    this.tokens = tokens(pattern);
    const wildcard = pattern.indexOf('*');
    this.#start = wildcard < 0 ? pattern : pattern.slice(0, wildcard);
  }

  matches(text: string): boolean {
    if (!text.startsWith(this.#start)) return false;
    const from = this.#start.length;
    // One for each place between two tokens: whether the text so far can end there.
    let places: Uint8Array = this.#reach(placesAt(this.tokens.length, from));
    let next: Uint8Array = new Uint8Array(places.length);
    for (let i = from; i < text.length; i += 1) {
      this.#step(places, text.charAt(i), next);
      [places, next] = [this.#reach(next), places];
    }
    return places[this.tokens.length] === 1;
  }

  #step(from: Uint8Array, character: string, to: Uint8Array): void {
    to.fill(0);
    const isSeparator = character === '.' || character === '/';
    for (const [place, token] of this.tokens.entries()) {
      if (from[place] === 0) continue;
      if (token === '**' || (token === '*' && !isSeparator)) to[place] = 1;
      else if (token === character) to[place + 1] = 1;
    }
  }

  /** A wildcard may also be nothing. */
  #reach(places: Uint8Array): Uint8Array {
    for (const [place, token] of this.tokens.entries()) {
      if (places[place] === 1 && (token === '*' || token === '**')) places[place + 1] = 1;
    }
    return places;
  }
}

function placesAt(tokenCount: number, start: number): Uint8Array {
  const places = new Uint8Array(tokenCount + 1);
  places[start] = 1;
  return places;
}

/** Characters (UTF-16 code units, as texts are walked), `*` and `**`. */
function tokens(pattern: string): string[] {
  const parts = pattern.match(/\*+|[^*]/gs) ?? [];
  return parts.map((part) => (part.startsWith('**') ? '**' : part));
}
