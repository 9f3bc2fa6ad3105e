// npm start | node scripts/draw-quickstart.ts: the end of that output as docs/quickstart.svg, the picture in README.md.
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { stripVTControlCharacters } from 'node:util';
import { ROOT } from './repository.ts';

const LINE = 19;
const CHARACTER = 8.4;
const MARGIN = 18;
const SIGNS: Readonly<Record<string, string>> = { '✅': '#3fb950', '☑️': '#8b949e', '❌': '#f85149' };

const output = stripVTControlCharacters(await text(process.stdin)).trimEnd();
const lines = output.slice(output.search(/^(✅|❌) .* in .* tasks$/m)).split('\n');
const width = Math.ceil(Math.max(...lines.map((line) => line.length)) * CHARACTER + 2 * MARGIN);
const height = lines.length * LINE + 2 * MARGIN;

writeFileSync(
  resolve(ROOT, 'docs/quickstart.svg'),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>What npm start prints at its end</title>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, monospace" font-size="14" fill="#e6edf3" xml:space="preserve">
${lines.map(drawn).join('\n')}
</g>
</svg>
`,
);

/** The signs are drawn as dots: not every font has them, and their width differs. */
function drawn(line: string, index: number): string {
  const y = MARGIN + index * LINE;
  const sign = Object.keys(SIGNS).find((candidate) => line.trimStart().startsWith(candidate)) ?? '';
  const column = line.indexOf(sign);
  const rest = sign === '' ? line : `${' '.repeat(column + 2)}${line.slice(column + sign.length)}`;
  const dot = `<circle cx="${MARGIN + column * CHARACTER + 7}" cy="${y + 9}" r="5" fill="${SIGNS[sign]}"/>`;
  return `${sign === '' ? '' : dot}<text x="${MARGIN}" y="${y + 14}">${escaped(rest)}</text>`;
}

function escaped(line: string): string {
  return line.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
