import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { buildExtension } from '../scripts/build-extension.ts';
import { ROOT } from '../scripts/repository.ts';
import { type Figure, figure, median } from './figure.ts';

const ROUNDS = 15;
const PACKAGES = [
  'azure-pipelines-task-lib/task.js',
  'azure-devops-node-api',
  '@azure/identity',
  '@azure/keyvault-secrets',
];

/**
 * From the start of the built task until its first own line, against `node -e 0` and against the four Azure packages
 * imported eagerly and unbundled; interleaved, medians, on each Node that an agent may choose.
 */
export async function startUp(): Promise<readonly Figure[]> {
  const { folder } = await buildExtension();
  const task = resolve(folder, 'tasks/RunLuigi/RunLuigiV1/index.js');
  const scratch = mkdtempSync(join(tmpdir(), 'plumbline-bench-'));
  // In the checkout, so that the packages resolve from its node_modules.
  const eager = resolve(ROOT, 'build/eager-imports.cjs');
  writeFileSync(
    eager,
    `${PACKAGES.map((name) => `require(${JSON.stringify(name)});`).join('\n')}\nconsole.log('ready');\n`,
  );
  try {
    const figures: Figure[] = [];
    for (const [major, node] of nodes()) figures.push(...(await onNode(major, node, task, eager, scratch)));
    return figures;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
    rmSync(eager, { force: true });
  }
}

async function onNode(major: number, node: string, task: string, eager: string, scratch: string) {
  const times = { ours: [] as number[], empty: [] as number[], eager: [] as number[] };
  for (let round = 0; round <= ROUNDS; round++) {
    const ours = await untilLine(node, [task], scratch, /RunLuigi/);
    const empty = await untilExit(node, ['-e', '0']);
    const packages = await untilLine(node, [eager], scratch, /^ready/);
    // The first round fills the file cache.
    if (round === 0) continue;
    times.ours.push(ours);
    times.empty.push(empty);
    times.eager.push(packages);
  }
  const ours = median(times.ours);
  return [
    figure('start-up', `first own line against node -e 0, Node ${major}`, ours, median(times.empty), 'ms'),
    figure(
      'start-up',
      `first own line against four packages unbundled, Node ${major}`,
      ours,
      median(times.eager),
      'ms',
    ),
  ];
}

function nodes(): ReadonlyMap<number, string> {
  const arch = `${process.platform}-${process.arch}`;
  const packages = { 24: `node-${arch}`, 20: `node20-${arch}` };
  return new Map(
    Object.entries(packages).map(([major, name]) => [Number(major), resolve(ROOT, 'node_modules', name, 'bin/node')]),
  );
}

function untilLine(node: string, args: readonly string[], scratch: string, line: RegExp): Promise<number> {
  return new Promise((done, failed) => {
    const env = { PATH: process.env['PATH'], AGENT_TEMPDIRECTORY: scratch, INPUT_MODULE: 'm', INPUT_TASK: 'T' };
    const started = performance.now();
    const child = spawn(node, args, { cwd: scratch, env, stdio: ['ignore', 'pipe', 'inherit'] });
    let seen = '';
    let at: number | undefined;
    child.stdout.on('data', (chunk: Buffer) => {
      if (at !== undefined) return;
      seen += chunk.toString('latin1');
      const own = seen.split('\n').filter((text) => !text.startsWith('##vso[task.debug]'));
      if (own.slice(0, -1).some((text) => line.test(text))) at = performance.now() - started;
    });
    child.on('exit', () => (at === undefined ? failed(new Error(`${args[0]} never said ${line}: ${seen}`)) : done(at)));
  });
}

function untilExit(node: string, args: readonly string[]): Promise<number> {
  return new Promise((done) => {
    const started = performance.now();
    spawn(node, args, { stdio: 'ignore' }).on('exit', () => done(performance.now() - started));
  });
}
