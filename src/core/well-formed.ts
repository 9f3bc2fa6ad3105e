/** A half of a surrogate pair that stands alone: no UTF-8 can hold it, and strict readers refuse its JSON escape. */
const LONE_SURROGATE = /\p{Surrogate}/gu;

/** The text with U+FFFD for each lone surrogate (`String.prototype.toWellFormed`, which ES2023 does not have). */
export function wellFormed(text: string): string {
  return text.replace(LONE_SURROGATE, '\uFFFD');
}
