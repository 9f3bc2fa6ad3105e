// npm run docs: writes the pages that are made from manifests. `npm run check` fails while they are not current.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { taskFolders } from './build-extension.ts';
import { describeTask } from './describe-task.ts';
import { ROOT } from './repository.ts';

for (const { path, text } of taskFolders().map(describeTask)) {
  mkdirSync(dirname(resolve(ROOT, path)), { recursive: true });
  writeFileSync(resolve(ROOT, path), text);
  console.log(path);
}
