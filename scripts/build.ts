// npm run build: the folder that becomes the VSIX, in build/extension, and the program `plumbline`, in build/gateway. Skipped
// when nothing they are made of has changed.
import { relative } from 'node:path';
import { buildExtension } from './build-extension.ts';
import { buildGateway } from './build-gateway.ts';
import { ROOT } from './repository.ts';

const { folder, tasks } = await buildExtension();
for (const [task, files] of Object.entries(tasks)) {
  for (const { name, kind, bytes } of files) console.log(`${task}/${name}  ${kind}  ${(bytes / 1000).toFixed(0)} kB`);
}
console.log(folder);

const gateway = await buildGateway();
console.log(`${relative(ROOT, gateway.program)}  ${(gateway.bytes / 1000).toFixed(0)} kB`);
console.log(gateway.folder);
