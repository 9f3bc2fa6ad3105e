// npm run package [-- --dev]: build/plumbline.vsix, or build/plumbline-dev.vsix with ids of its own.
import { statSync } from 'node:fs';
import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { packageExtension, vsixContents } from './package-extension.ts';
import { ROOT } from './repository.ts';

const { values } = parseArgs({ options: { dev: { type: 'boolean', default: false } } });
const vsix = await packageExtension({ development: values.dev });
for (const name of vsixContents(vsix)) console.log(name);
console.log(`${relative(ROOT, vsix)}  ${(statSync(vsix).size / 1000).toFixed(0)} kB`);
