import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { filesUnder, ROOT } from '../../scripts/repository.ts';
import type { SourceFile } from './layers.ts';

/** Files below these folders of the repository whose names end as given. */
export function sourceFiles(folders: readonly string[], ending: RegExp): SourceFile[] {
  return folders.flatMap((folder) =>
    filesUnder(resolve(ROOT, folder))
      .filter((path) => ending.test(path))
      .map((path) => ({
        path: `${folder}/${path}`,
        text: readFileSync(resolve(ROOT, folder, path), 'utf8'),
      })),
  );
}
