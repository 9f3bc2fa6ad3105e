import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { bundleTask, entriesOf, type TaskFile } from './bundle-task.ts';
import { BUILD, contentHash, filesUnder, productVersion, ROOT, readJson } from './repository.ts';
import { thirdPartyNotices } from './third-party-notices.ts';

/** Everything that goes into the extension or decides how. */
const SOURCES = [
  'src/',
  'tasks/',
  'images/',
  'package.json',
  'package-lock.json',
  'vss-extension.json',
  'docs/marketplace.md',
  'LICENSE',
];
const TOOLS = [
  'scripts/build-extension.ts',
  'scripts/bundle-task.ts',
  'scripts/third-party-notices.ts',
  'scripts/repository.ts',
];

/** `build/extension` and what each task's files hold, by the task's folder. */
export interface BuiltExtension {
  readonly folder: string;
  readonly tasks: Readonly<Record<string, readonly TaskFile[]>>;
  /** Changes whenever the extension may have changed. */
  readonly hash: string;
}

interface TaskManifest {
  readonly name: string;
  version: { Major: number; Minor: number; Patch: number };
  readonly [key: string]: unknown;
}

/** Builds the extension, or returns what an earlier build of the same sources left. */
export async function buildExtension(): Promise<BuiltExtension> {
  const folder = resolve(BUILD, 'extension');
  const record = resolve(BUILD, 'extension.json');
  const hash = contentHash([...SOURCES, ...TOOLS]);
  if (existsSync(record) && existsSync(folder)) {
    const earlier = JSON.parse(readFileSync(record, 'utf8')) as BuiltExtension;
    if (earlier.hash === hash) return { ...earlier, folder };
  }
  const partial = `${folder}.${process.pid}`;
  const tasks: Record<string, readonly TaskFile[]> = {};
  try {
    for (const task of taskFolders()) tasks[task] = await stageTask(task, partial);
    stageManifest(partial);
    writeFileSync(resolve(partial, 'THIRD-PARTY-NOTICES.txt'), thirdPartyNotices(inputsOf(tasks)));
    rmSync(record, { force: true });
    rmSync(folder, { recursive: true, force: true });
    renameSync(partial, folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  writeFileSync(record, JSON.stringify({ tasks, hash }));
  return { folder, tasks, hash };
}

function inputsOf(tasks: BuiltExtension['tasks']): string[] {
  return Object.values(tasks).flatMap((files) => files.flatMap(({ inputs }) => inputs));
}

/** Folders of `tasks/`, e.g. `RunLuigiV1`. */
export function taskFolders(): string[] {
  return readdirSync(resolve(ROOT, 'tasks'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}

/** `RunLuigiV1` lands in `tasks/RunLuigi/RunLuigiV1`, where a later major can lie beside it. */
async function stageTask(task: string, extension: string): Promise<readonly TaskFile[]> {
  const source = resolve(ROOT, 'tasks', task);
  const target = resolve(extension, 'tasks', task.replace(/V\d+$/, ''), task);
  mkdirSync(target, { recursive: true });
  const manifest = readJson<TaskManifest>(`tasks/${task}/task.json`);
  writeJson(resolve(target, 'task.json'), stamped(manifest, task));
  cpSync(resolve(source, 'icon.png'), resolve(target, 'icon.png'));
  if (task.startsWith('RunLuigi')) copyWorker(target);
  return bundleTask(source, entriesOf(manifest), target);
}

/** The product's version; the major is the folder's, because both majors of a task live in one extension. */
function stamped(manifest: TaskManifest, task: string): TaskManifest {
  const [, Minor = 0, Patch = 0] = productVersion().split('.').map(Number);
  return { ...manifest, version: { Major: Number(/V(\d+)$/.exec(task)?.[1]), Minor, Patch } };
}

function copyWorker(target: string): void {
  const worker = resolve(ROOT, 'src/worker/plumbline_luigi');
  for (const file of filesUnder(worker).filter((path) => path.endsWith('.py'))) {
    cpSync(resolve(worker, file), resolve(target, 'worker', basename(worker), file));
  }
}

function stageManifest(extension: string): void {
  const manifest = readJson<Record<string, unknown>>('vss-extension.json');
  writeJson(resolve(extension, 'vss-extension.json'), { ...manifest, version: productVersion() });
  cpSync(resolve(ROOT, 'images'), resolve(extension, 'images'), { recursive: true });
  cpSync(resolve(ROOT, 'docs/marketplace.md'), resolve(extension, 'README.md'));
  cpSync(resolve(ROOT, 'LICENSE'), resolve(extension, 'LICENSE.txt'));
}

function writeJson(path: string, value: unknown): void {
  writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`);
}
