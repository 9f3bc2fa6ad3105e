import { existsSync, readdirSync, readFileSync } from 'node:fs';
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

function notice(folder: string): [title: string, text: string] {
  const { name, version, license } = readJson<Record<'name' | 'version' | 'license', string>>(`${folder}/package.json`);
  return [`${name} ${version} (${license})`, licenceText(folder)];
}

function licenceText(folder: string): string {
  const file = readdirSync(resolve(ROOT, folder)).find((name) => /^(licen[cs]e|copying)/i.test(name));
  if (file !== undefined) return readFileSync(resolve(ROOT, folder, file), 'utf8').trim();
  const readme = ['README.md', 'readme.md'].map((name) => resolve(ROOT, folder, name)).find(existsSync);
  const section =
    readme && /^#+ Licen[cs]e\s*\n([\s\S]*?)(?=^#+ |(?![\s\S]))/im.exec(readFileSync(readme, 'utf8'))?.[1];
  if (!section) throw new Error(`${folder} has no licence text that could go into the VSIX.`);
  return section.trim();
}
