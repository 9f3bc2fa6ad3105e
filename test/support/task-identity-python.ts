import { chmodSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { PlaceForOthers } from './place-for-others.ts';

/** A virtual environment with Luigi that every user can start. */
export function pythonForOthers({ folder, python, modulePath }: PlaceForOthers): string {
  const environment = mkdtempSync(join(folder, 'environment-'));
  chmodSync(environment, 0o755);
  const packages = modulePath.find((path) => path.endsWith('/site-packages')) ?? '';
  const library = join(environment, 'lib', basename(python));
  for (const path of [join(environment, 'bin'), library]) mkdirSync(path, { recursive: true });
  writeFileSync(join(environment, 'pyvenv.cfg'), `home = ${dirname(python)}\ninclude-system-site-packages = false\n`);
  symlinkSync(python, join(environment, 'bin/python'));
  symlinkSync(packages, join(library, 'site-packages'));
  return join(environment, 'bin/python');
}
