/**
 * Text that a terminal shows and does not obey: control characters, escapes and everything that turns the direction of
 * writing are shown as their code. Line feeds stay only where `lines` says that they are wanted.
 */
export function printable(text: string, { lines = false } = {}): string {
  return text.replace(UNSAFE, (character) => {
    if (lines && character === '\n') return character;
    return `\\u{${character.codePointAt(0)?.toString(16)}}`;
  });
}

const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
