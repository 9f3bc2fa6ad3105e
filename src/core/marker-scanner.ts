/**
 * What a reader of the log may drop before it looks for a command: control characters (a terminal and the agent do) and
 * characters that culture-aware comparisons ignore (.NET's `IndexOf(string)` does). A newline is none of them: every
 * reader ends a line there. A lone carriage return is one, for readers that do not end a line there.
 */
const IGNORABLE = /[\p{Cc}\p{Default_Ignorable_Code_Point}]/u;

const NEWLINE = 0x0a;
const HASH = 0x23;
const BRACKET = 0x5b;
/** The letters of `vso` in every spelling that some comparison without case takes for them. */
const LETTERS: ReadonlyMap<number, number> = new Map([
  [0x76, 0],
  [0x56, 0],
  [0x73, 1],
  [0x53, 1],
  [0x17f, 1],
  [0x6f, 2],
  [0x4f, 2],
]);
const TWO_HASHES = 2;
const LAST_LETTER = 2;
/** By the number of bytes that follow the first. */
const SMALLEST = [0, 0x80, 0x800, 0x10000];

/**
 * Finds `##[` and the keyword `##vso` in a stream of characters; knows only how far a marker has come. The keyword counts
 * without its bracket too, because the agent warns of every line that has it and is no command.
 */
export class MarkerScanner {
  /** 0: nothing, 1: `#`, 2: `##`, 3: `##v`, 4: `##vs`. */
  #matched = 0;
  #codePoint = 0;
  #continuations = 0;
  /** The smallest code point that needs so many bytes. */
  #smallest = 0;

  /** Nothing but a hash matters next. */
  get idle(): boolean {
    return this.#matched === 0;
  }

  /** Whether this character, a bracket or the last letter, makes a marker of what came before. */
  completesMarker(codePoint: number): boolean {
    const completes =
      (codePoint === BRACKET && this.#matched === TWO_HASHES) ||
      (LETTERS.get(codePoint) === LAST_LETTER && this.#matched === TWO_HASHES + LAST_LETTER);
    this.#matched = completes ? 0 : this.#next(codePoint);
    return completes;
  }

  /** The same byte by byte, as UTF-8. A byte that belongs to no character is ignorable: a decoder may drop it. */
  byteCompletesMarker(byte: number): boolean {
    if (byte < 0x80) {
      this.#continuations = 0;
      return this.completesMarker(byte);
    }
    if (byte >= 0xc0) this.#begin(byte);
    else if (this.#continuations > 0) this.#continue(byte);
    return false;
  }

  #next(codePoint: number): number {
    if (codePoint === NEWLINE) return 0;
    if (codePoint === HASH) return this.#matched === 1 || this.#matched === TWO_HASHES ? TWO_HASHES : 1;
    const letter = LETTERS.get(codePoint);
    if (letter !== undefined) return this.#matched === TWO_HASHES + letter ? this.#matched + 1 : 0;
    return IGNORABLE.test(String.fromCodePoint(codePoint)) ? this.#matched : 0;
  }

  #begin(lead: number): void {
    // Bytes from F8 begin nothing: UTF-8 once had longer forms, and no decoder takes them any more.
    this.#continuations = lead >= 0xf8 ? 0 : lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    this.#codePoint = lead & (0x3f >> this.#continuations);
    this.#smallest = SMALLEST[this.#continuations] ?? 0;
  }

  #continue(byte: number): void {
    this.#codePoint = (this.#codePoint << 6) | (byte & 0x3f);
    this.#continuations -= 1;
    if (this.#continuations === 0 && isScalar(this.#codePoint, this.#smallest)) this.completesMarker(this.#codePoint);
  }
}

/** Not an overlong form, half of a pair, or beyond Unicode: such bytes are no character at all. */
function isScalar(codePoint: number, smallest: number): boolean {
  return codePoint >= smallest && codePoint <= 0x10ffff && (codePoint < 0xd800 || codePoint > 0xdfff);
}
