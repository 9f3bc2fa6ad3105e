import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { unzipSync } from 'fflate';
import { readTaskDefinitions, type TaskDefinition } from './task-definition.ts';

interface ExtensionManifest {
  readonly contributions?: readonly { type: string; id: string; properties?: { name?: string } }[];
}

/**
 * Unpacks a VSIX and reads the tasks that its manifest contributes.
 * @throws Error when the file is no VSIX, or an entry would leave the folder
 */
export function installVsix(file: string, folder: string): TaskDefinition[] {
  const files = unzipSync(new Uint8Array(readFileSync(file)));
  for (const [name, content] of Object.entries(files)) if (!name.endsWith('/')) unpack(name, content, folder);
  const manifest = files['extension.vsomanifest'];
  if (!manifest) throw new Error(`${file} is no extension: it has no extension.vsomanifest.`);
  const { contributions = [] } = JSON.parse(
    new TextDecoder().decode(manifest).replace(/^\uFEFF/, ''),
  ) as ExtensionManifest;
  return contributions
    .filter(({ type }) => type === 'ms.vss-distributed-task.task')
    .flatMap(({ id, properties }) => readTaskDefinitions(path.join(folder, properties?.name ?? id)));
}

function unpack(name: string, content: Uint8Array, folder: string): void {
  const target = path.join(folder, decodeURIComponent(name));
  if (!target.startsWith(folder + path.sep)) throw new Error(`The entry '${name}' leaves the folder of the extension.`);
  mkdirSync(path.dirname(target), { recursive: true });
  writeFileSync(target, content);
}
