import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { BUILD, contentHash, filesUnder, ROOT } from './repository.ts';
import { thirdPartyNotices } from './third-party-notices.ts';

/** Everything that goes into the program or decides how. */
const SOURCES = [
  'src/',
  'package.json',
  'package-lock.json',
  'LICENSE',
  'scripts/build-gateway.ts',
  'scripts/third-party-notices.ts',
  'scripts/repository.ts',
];

/** `build/gateway`: the program `plumbline`, and beside it the worker that it starts. */
export interface BuiltGateway {
  readonly folder: string;
  /** The file that Node runs. */
  readonly program: string;
  readonly bytes: number;
  /** Files with at least one byte in it, relative to the repository. */
  readonly inputs: readonly string[];
  readonly hash: string;
}

const PROGRAM = 'plumbline.mjs';
/** Node looks for the modules that a file imports before it runs any of it: an older Node would not get as far as to say that it is one. */
const LATE_SQLITE: Plugin = {
  name: 'late-sqlite',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:sqlite$/ }, () => ({ path: 'sqlite', namespace: 'late' }));
    const contents = "export const { backup, DatabaseSync } = process.getBuiltinModule('node:sqlite');";
    onLoad({ filter: /^sqlite$/, namespace: 'late' }, () => ({ contents }));
  },
};

const OPTIONS = {
  entryPoints: ['src/cli/main.ts'],
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  // Packages in CommonJS ask for Node's own modules with `require`, which a module does not have.
  banner: {
    js: [
      '#!/usr/bin/env node',
      "import { createRequire as plumblineRequire } from 'node:module';",
      "import { fileURLToPath as plumblineFile } from 'node:url';",
      "if (Number.parseInt(process.versions.node) < 24) { console.error('plumbline needs Node 24 or newer as node in PATH; this is ' + process.version + '.'); process.exit(1); }",
      'const require = plumblineRequire(import.meta.url);',
      'const __filename = plumblineFile(import.meta.url);',
      'const __dirname = import.meta.dirname;',
    ].join('\n'),
  },
  plugins: [LATE_SQLITE],
  metafile: true,
  absWorkingDir: ROOT,
  legalComments: 'none',
  logLevel: 'error',
  // Stack traces in the log of an operator name our own functions.
  minifySyntax: true,
  minifyWhitespace: true,
} as const satisfies BuildOptions;

/** Builds the program, or returns what an earlier build of the same sources left. */
export async function buildGateway(): Promise<BuiltGateway> {
  const folder = resolve(BUILD, 'gateway');
  const record = resolve(BUILD, 'gateway.json');
  const hash = contentHash(SOURCES);
  if (existsSync(record) && existsSync(folder)) {
    const earlier = JSON.parse(readFileSync(record, 'utf8')) as BuiltGateway;
    if (earlier.hash === hash) return { ...earlier, folder, program: resolve(folder, PROGRAM) };
  }
  const partial = `${folder}.${process.pid}`;
  try {
    const made = { ...(await bundleInto(partial)), hash };
    rmSync(record, { force: true });
    rmSync(folder, { recursive: true, force: true });
    renameSync(partial, folder);
    writeFileSync(record, JSON.stringify(made));
    return { ...made, folder, program: resolve(folder, PROGRAM) };
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

async function bundleInto(folder: string): Promise<Pick<BuiltGateway, 'bytes' | 'inputs'>> {
  mkdirSync(folder, { recursive: true });
  const { metafile } = await build({ ...OPTIONS, outfile: resolve(folder, PROGRAM) });
  const [output] = Object.values(metafile.outputs);
  const inputs = Object.entries(output?.inputs ?? {}).filter(
    ([path, { bytesInOutput }]) => bytesInOutput > 0 && !path.startsWith('late:'),
  );
  chmodSync(resolve(folder, PROGRAM), 0o755);
  copyWorker(folder);
  cpSync(resolve(ROOT, 'LICENSE'), resolve(folder, 'LICENSE.txt'));
  const paths = inputs.map(([path]) => path);
  writeFileSync(resolve(folder, 'THIRD-PARTY-NOTICES.txt'), thirdPartyNotices(paths));
  return { bytes: output?.bytes ?? 0, inputs: paths };
}

function copyWorker(folder: string): void {
  const worker = resolve(ROOT, 'src/worker/plumbline_luigi');
  for (const file of filesUnder(worker).filter((path) => path.endsWith('.py')))
    cpSync(resolve(worker, file), resolve(folder, 'worker/plumbline_luigi', file));
}
