import { writeFileSync } from 'node:fs';
import { basename, relative, resolve } from 'node:path';
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild';
import { ROOT } from './repository.ts';

/** Budgets in bytes: the agent starts a new process for each step, and reads all of the entry before anything happens. */
export const ENTRY_LIMIT = 350_000;
export const LAZY_LIMIT = 1_200_000;

/** One JavaScript file of a task. */
export interface TaskFile {
  readonly name: string;
  readonly kind: 'entry' | 'lazy';
  /** What it was bundled from, relative to the repository. */
  readonly source: string;
  readonly bytes: number;
  /** Files with at least one byte in it, relative to the repository. */
  readonly inputs: readonly string[];
}

const COMMON = {
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  // A dynamic import of a file beside the entry is a plain `require` when its time comes: no second module loader to start.
  supported: { 'dynamic-import': false },
  metafile: true,
  absWorkingDir: ROOT,
  legalComments: 'none',
  logLevel: 'error',
} as const satisfies BuildOptions;

/** With readable names the entry would be a third larger (447 against 333 kB) and over its limit. */
const STYLE = { minify: true } as const satisfies BuildOptions;

/**
 * Bundles a task's entries into `outputFolder`, and every module that they import dynamically into a file of its own.
 * @throws {Error} when a lazy file holds a copy of another file of ours: a class or a secret would exist twice.
 */
export async function bundleTask(taskFolder: string, entries: readonly string[], outputFolder: string) {
  const files: TaskFile[] = [];
  const lazy = new Map<string, string>();
  const bundleOne = async (source: string, name: string, kind: TaskFile['kind']) => {
    const outfile = resolve(outputFolder, name);
    const result = await build({
      ...COMMON,
      ...STYLE,
      entryPoints: [source],
      outfile,
      plugins: [splitDynamic(lazy), englishOnly, withoutTools],
    });
    const file = { name, kind, source: relative(ROOT, source), ...contents(result.metafile) };
    if (kind === 'lazy') refuseCopies(file);
    files.push(file);
  };
  for (const entry of entries) await bundleOne(resolve(taskFolder, entry), entry.replace(/\.ts$/, '.js'), 'entry');
  // The map grows while lazy files import further ones; its iteration sees them too.
  for (const [source, name] of lazy) await bundleOne(source, name, 'lazy');
  // The agent's work folder may lie below a package.json that says "module".
  writeFileSync(resolve(outputFolder, 'package.json'), '{"private":true,"type":"commonjs"}\n');
  return files;
}

function contents(metafile: Metafile): Pick<TaskFile, 'bytes' | 'inputs'> {
  const [output] = Object.values(metafile.outputs);
  const inputs = Object.entries(output?.inputs ?? {}).filter(([, { bytesInOutput }]) => bytesInOutput > 0);
  return { bytes: output?.bytes ?? 0, inputs: inputs.map(([path]) => path) };
}

function refuseCopies({ name, source, inputs }: TaskFile): void {
  const copies = inputs.filter((path) => path.startsWith('src/') && path !== source);
  if (copies.length === 0) return;
  throw new Error(
    `${name}, loaded when needed from ${source}, holds a second copy of ${copies.join(', ')}. ` +
      'Import types only there, or hand the values over as arguments.',
  );
}

/** Leaves each dynamic import of ours as a `require` of a file beside the entry and notes what to bundle there. */
function splitDynamic(lazy: Map<string, string>): Plugin {
  return {
    name: 'split-dynamic',
    setup({ onResolve, resolve: resolvePath }) {
      onResolve({ filter: /./ }, async ({ kind, path, importer, resolveDir, pluginData }) => {
        const ours = !importer.includes('/node_modules/') && pluginData !== 'split-dynamic';
        if (kind !== 'dynamic-import' || !ours || path.startsWith('node:')) return undefined;
        const found = await resolvePath(path, { kind, importer, resolveDir, pluginData: 'split-dynamic' });
        if (found.errors.length > 0) return { errors: found.errors };
        lazy.set(found.path, lazyName(path, found.path));
        return { path: `./${lazyName(path, found.path)}`, external: true };
      });
    },
  };
}

/** task-lib carries its own messages in ten languages, 60 kB that every step would read; ours are in English only. */
const englishOnly: Plugin = {
  name: 'english-only',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]azure-pipelines-task-lib[\\/]lib-resource\.js$/ }, async ({ path }) => {
      const { default: resource } = (await import(path)) as { default: { readonly messages: object } };
      const kept = { messages: resource.messages, localizedMessages: {} };
      return { contents: `module.exports = ${JSON.stringify(kept)};`, loader: 'js' };
    });
  },
};

/**
 * task-lib loads its tool runner and its file matching with itself, a fifth of an entry; no step of ours uses either, and a
 * test holds that (test/architecture/task-lib-use.test.ts).
 */
const withoutTools: Plugin = {
  name: 'without-tools',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(minimatch|\.\/toolrunner|\.\/externaloutput)$/ }, ({ path, importer }) => {
      if (!/[\\/]azure-pipelines-task-lib[\\/]\w+\.js$/.test(importer)) return undefined;
      return { path, namespace: 'without-tools' };
    });
    onLoad({ filter: /./, namespace: 'without-tools' }, () => ({ contents: 'module.exports = {};' }));
  },
};

/** `#secrets/key-vault.ts` → `secrets-key-vault.js`; `azure-devops-node-api/BuildApi.js` → `azure-devops-node-api-BuildApi.js`. */
function lazyName(specifier: string, path: string): string {
  const own = relative(resolve(ROOT, 'src'), path);
  const name = own.startsWith('..') ? specifier : own;
  return `${name
    .replace(/\.(ts|m?js|cjs)$/, '')
    .replace(/[^\w.-]+/g, '-')
    .replace(/^-+/, '')}.js`;
}

/** The task's entries: what its task.json names as targets, as sources. */
export function entriesOf(manifest: { readonly [stage: string]: unknown }): string[] {
  const stages = ['prejobexecution', 'execution', 'postjobexecution'].flatMap((stage) =>
    Object.values((manifest[stage] ?? {}) as Record<string, { target: string }>),
  );
  return [...new Set(stages.map(({ target }) => basename(target).replace(/\.js$/, '.ts')))];
}
