import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { ROOT, readJson } from './repository.ts';

const PACKAGE = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//;

/**
 * Names, versions and licences of every package of which something is in these files, as their licences ask for.
 * @param inputs what was bundled, relative to the repository
 * @throws {Error} naming a package without a licence text
 */
export function thirdPartyNotices(inputs: readonly string[]): string {
  const folders = inputs.flatMap((input) => PACKAGE.exec(input)?.[1] ?? []);
  const notices = new Map([...new Set(folders)].map(notice));
  const parts = [...notices].sort(([a], [b]) => a.localeCompare(b, 'en')).map(([title, text]) => `${title}\n\n${text}`);
  const rule = `\n\n${'-'.repeat(80)}\n\n`;
  return `${['Plumbline contains parts of these packages.', ...parts].join(rule)}\n`;
}

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly license: string;
  readonly author?: string | { readonly name: string };
}

function notice(folder: string): [title: string, text: string] {
  const manifest = readJson<Manifest>(`${folder}/package.json`);
  const { name, version, license } = manifest;
  return [`${name} ${version} (${license})`, licenceText(folder, manifest)];
}

function licenceText(folder: string, manifest: Manifest): string {
  const files = readdirSync(resolve(ROOT, folder));
  const read = (name: string) => readFileSync(resolve(ROOT, folder, name), 'utf8');
  const file = files.find((name) => /^(licen[cs]e|copying)/i.test(name));
  if (file !== undefined) return read(file).trim();
  const readme = files.find((name) => /^readme\.md$/i.test(name));
  const section = readme && /^#+ Licen[cs]e\s*\n([\s\S]*?)(?=^#+ |(?![\s\S]))/im.exec(read(readme))?.[1];
  if (!section) throw new Error(`${folder} has no licence text that could go beside what is built.`);
  return section.length < SHORTEST_TEXT && manifest.license === 'MIT' ? mit(manifest) : section.trim();
}

/** Anything shorter only names the licence. */
const SHORTEST_TEXT = 400;

/** For a package that says MIT and has no copy of it. */
function mit({ name, author }: Manifest): string {
  const holder = typeof author === 'object' ? author.name : author?.replace(/\s*[<(].*/, '');
  return `Copyright (c) ${holder ?? `the authors of ${name}`}\n\n${MIT}`;
}

const MIT = [
  'Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation',
  'files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,',
  'modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software',
  'is furnished to do so, subject to the following conditions:',
  '',
  'The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.',
  '',
  'THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES',
  'OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE',
  'LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN',
  'CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.',
].join('\n');
