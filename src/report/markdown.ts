import { neutralise } from '#core/neutralise.ts';
import { wellFormed } from '#core/well-formed.ts';
import { webLink } from './web-link.ts';

declare const escaped: unique symbol;

/** Markdown that is ours or was escaped. Foreign text becomes one only by the functions of this file. */
export type Markdown = string & { readonly [escaped]: true };

/** Our own words with escaped parts between them; a plain text in a gap does not compile. */
export function md(words: TemplateStringsArray, ...parts: readonly (Markdown | number)[]): Markdown {
  return String.raw({ raw: words }, ...parts) as Markdown;
}

/** Joins what is not empty. */
export function join(parts: readonly Markdown[], separator: string): Markdown {
  return parts.filter(Boolean).join(separator) as Markdown;
}

/**
 * ASCII punctuation that can begin markup, a mention, a link or an emoji inside a line of CommonMark, GFM or Azure DevOps.
 * What acts at the start of a line only (`-`, `+`, `=`, `1.`) needs none: no line starts with foreign text.
 */
const PUNCTUATION = /[\\`*_{}[\]#!|~$@]|:(?=\S)/g;
/** Line ends of every kind, tabs and other white space: a cell is one line. */
const BREAKS = /[\s\u0085\u2028\u2029]+/gu;
/** What is not seen but acts: controls, directional marks and isolates, zero-width and tag characters. */
const INVISIBLE =
  /[\p{Cc}\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;

/**
 * Foreign text as one line of Markdown that shows just this text: no markup, HTML, link, mention or logging command gets
 * out of it, wherever inside a line it stands. Characters that act unseen are shown as U+FFFD.
 *
 * @param max in UTF-16 units of the text; the rest becomes `…`
 */
export function inline(text: string, max: number): Markdown {
  return plain(text, max)
    .replace(PUNCTUATION, '\\$&')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/www\./gi, (www) => `${www.slice(0, 3)}\\.`) as Markdown;
}

/** What `inline` shows to a reader. */
export function plain(text: string, max: number): string {
  const line = wellFormed(neutralise(text).replace(BREAKS, ' ')).replace(INVISIBLE, '\uFFFD').trim();
  return line.length <= max ? line : `${wellFormed(line.slice(0, max - 1)).replace(/\uFFFD$/, '')}…`;
}

/** A link when the address is one a person may be sent to, else the words alone. */
export function link(words: Markdown, address: string | undefined): Markdown {
  const href = webLink(address);
  return href ? (`[${words}](${href})` as Markdown) : words;
}

/** A table; a `:` of the alignment row is ours, so cells cannot change it. */
export function table(header: readonly Markdown[], rows: readonly (readonly Markdown[])[]): Markdown {
  const line = (cells: readonly Markdown[]) => `| ${cells.join(' | ')} |`;
  return [line(header), `|${' --- |'.repeat(header.length)}`, ...rows.map(line)].join('\n') as Markdown;
}

/** A fenced block of foreign lines; its fence is longer than any run of backticks inside. */
export function codeBlock(text: string, lines: number, width: number): Markdown {
  const shown = text
    .split(/\r\n|[\n\r\u0085\u2028\u2029]/u)
    .filter((line) => line.trim())
    .slice(-lines);
  const body = shown.map((line) => codeLine(line, width)).join('\n');
  const longest = Math.max(2, ...[...body.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}text\n${body}\n${fence}` as Markdown;
}

/** Leading blanks carry meaning in a traceback. */
function codeLine(line: string, width: number): string {
  const indent = /^ */.exec(line)?.[0] ?? '';
  return indent.slice(0, 20) + plain(line, width);
}
