// npm run setup [-- LOCK…]: packages, and the Python environments of these lock files on every Python there is. bootstrap.mjs
// has done it by the time this runs; what is left is to say where they are.
import { preparedVersions, pythonOf } from './python-environments.mjs';
import { ROOT } from './repository.ts';

console.log(`node    ${process.execPath}`);
for (const lock of process.argv.slice(2)) {
  for (const version of preparedVersions(ROOT, lock))
    console.log(`${lock}  ${version}  ${pythonOf(ROOT, lock, version)}`);
}
