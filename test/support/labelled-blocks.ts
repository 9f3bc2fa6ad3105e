import { readFileSync } from 'node:fs';

const BLOCK = /<!-- (?<label>[^\n]+?) -->\n```\w+\n(?<text>.*?)```/gs;

/** The blocks of a page that a comment before them names, by that name: a test does what the page says. */
export function labelledBlocks(file: string): (label: string) => string {
  const found = readFileSync(file, 'utf8').matchAll(BLOCK);
  const blocks = new Map([...found].map(({ groups }) => [groups?.['label'] ?? '', groups?.['text'] ?? '']));
  return (label) => {
    const text = blocks.get(label);
    if (text === undefined) throw new Error(`${file} has no block '${label}'`);
    return text;
  };
}
