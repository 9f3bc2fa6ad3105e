// npm run build: the folder that becomes the VSIX, in build/extension. Skipped when nothing it is made of has changed.
import { buildExtension } from './build-extension.ts';

const { folder, tasks } = await buildExtension();
for (const [task, files] of Object.entries(tasks)) {
  for (const { name, kind, bytes } of files) console.log(`${task}/${name}  ${kind}  ${(bytes / 1000).toFixed(0)} kB`);
}
console.log(folder);
