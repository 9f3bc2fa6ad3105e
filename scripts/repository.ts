import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** The folder of this checkout. */
export const ROOT = resolve(import.meta.dirname, '..');
export const BUILD = resolve(ROOT, 'build');

/** Regular files under `folder`, as sorted paths relative to it; `__pycache__` is left out. */
export function filesUnder(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('__pycache__'))
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/** SHA-256 over names and contents of files and folders given relative to the repository. */
export function contentHash(paths: readonly string[]): string {
  const hash = createHash('sha256');
  for (const path of paths.flatMap(expand)) {
    hash
      .update(`${path}\0`)
      .update(readFileSync(resolve(ROOT, path)))
      .update('\0');
  }
  return hash.digest('hex');
}

function expand(path: string): string[] {
  const full = resolve(ROOT, path);
  return path.endsWith('/') ? filesUnder(full).map((file) => join(path, file)) : [path];
}

export function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(resolve(ROOT, path), 'utf8')) as T;
}

/** The one version of everything that is released together. */
export function productVersion(): string {
  return readJson<{ version: string }>('package.json').version;
}
