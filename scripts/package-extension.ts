import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { unzipSync } from 'fflate';
import { buildExtension } from './build-extension.ts';
import { BUILD, filesUnder, ROOT } from './repository.ts';

/** In bytes. Azure DevOps Server takes 25 MB; a page of the Marketplace opens at once with this. */
export const VSIX_LIMIT = 3_000_000;

/** What may be in the VSIX; anything else fails the build. */
const ALLOWED = [
  /^\[Content_Types\]\.xml$/,
  /^extension\.vs(ix|o)manifest$/,
  /^(README\.md|LICENSE\.txt|THIRD-PARTY-NOTICES\.txt)$/,
  /^images\/icon-128\.png$/,
  /^tasks\/(\w+)\/\1V\d+\/(task\.json|package\.json|icon\.png|[\w.-]+\.js)$/,
  /^tasks\/RunLuigi\/RunLuigiV\d+\/worker\/plumbline_luigi\/([a-z_]+\/)*[a-z_]+\.py$/,
];

/** What this process is packing: who asks meanwhile gets the same. */
const packing = new Map<boolean, Promise<string>>();

/** Builds the extension and packs it with tfx, offline. Skipped when nothing it is made of has changed. */
export function packageExtension({ development = false } = {}): Promise<string> {
  const begun = packing.get(development) ?? packed(development).finally(() => packing.delete(development));
  packing.set(development, begun);
  return begun;
}

async function packed(development: boolean): Promise<string> {
  const { folder, hash } = await buildExtension();
  const vsix = resolve(BUILD, development ? 'plumbline-dev.vsix' : 'plumbline.vsix');
  const record = `${vsix}.made-of`;
  if (existsSync(vsix) && existsSync(record) && readFileSync(record, 'utf8') === hash) return vsix;
  const staged = `${vsix}.${process.pid}`;
  const partial = `${staged}.vsix`;
  try {
    cpSync(folder, staged, { recursive: true });
    if (development) makeDevelopment(staged);
    createVsix(staged, partial);
    checkVsix(partial);
    renameSync(partial, vsix);
  } finally {
    for (const path of [staged, partial]) rmSync(path, { recursive: true, force: true });
  }
  writeFileSync(record, hash);
  return vsix;
}

/** Everything that a VSIX holds, sorted. */
export function vsixContents(vsix: string): string[] {
  return Object.keys(unzipSync(readFileSync(vsix), { filter: ({ name }) => !name.endsWith('/') })).sort();
}

/** tfx reports a missing target or a bad name as a warning and ends with 0; here both fail. */
function createVsix(folder: string, vsix: string): void {
  const tfx = resolve(ROOT, 'node_modules/tfx-cli/_build/tfx-cli.js');
  const options = [
    '--root',
    folder,
    '--manifests',
    'vss-extension.json',
    '--output-path',
    vsix,
    '--no-prompt',
    '--no-color',
  ];
  const done = spawnSync(process.execPath, [tfx, 'extension', 'create', ...options], { cwd: folder, encoding: 'utf8' });
  const output = `${done.stdout}${done.stderr}`.trim();
  if (done.status === 0 && !/\bwarning:/i.test(output) && existsSync(vsix)) return;
  throw new Error(`tfx extension create did not pass (exit status ${done.status}):\n${output}`);
}

function checkVsix(vsix: string): void {
  const unexpected = vsixContents(vsix).filter((name) => !ALLOWED.some((pattern) => pattern.test(name)));
  const { size } = statSync(vsix);
  const problems = [
    ...unexpected.map((name) => `${name} does not belong into the VSIX`),
    ...(size > VSIX_LIMIT ? [`the VSIX has ${size} bytes, more than ${VSIX_LIMIT}`] : []),
  ];
  if (problems.length === 0) return;
  throw new Error(`The VSIX was not kept: ${problems.join('; ')}.`);
}

/** Gives extension and tasks ids of their own, so that a development version can be installed beside the released one. */
function makeDevelopment(folder: string): void {
  for (const file of filesUnder(folder).filter((path) => /(^|\/)(vss-extension|task)\.json$/.test(path))) {
    const path = resolve(folder, file);
    writeFileSync(path, JSON.stringify(developmentManifest(JSON.parse(readFileSync(path, 'utf8'))), null, 2));
  }
}

interface Manifest {
  readonly id: string;
  readonly name: string;
  readonly friendlyName?: string;
  readonly [key: string]: unknown;
}

/** The manifest of the extension or of a task with an id of its own. */
export function developmentManifest(manifest: Manifest): Manifest {
  if (manifest.friendlyName === undefined) {
    return { ...manifest, id: `${manifest.id}-dev`, name: `${manifest.name} (development)`, public: false };
  }
  return { ...manifest, id: derivedId(manifest.id), friendlyName: `${manifest.friendlyName} (dev)` };
}

/** A UUID of version 8 (RFC 9562) that always follows from the same id. */
function derivedId(id: string): string {
  const hex = createHash('sha256').update(`plumbline development ${id}`).digest('hex');
  const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 3) | 8).toString(16);
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    `8${hex.slice(13, 16)}`,
    variant + hex.slice(17, 20),
    hex.slice(20, 32),
  ].join('-');
}
