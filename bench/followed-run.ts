import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { buildExtension } from '../scripts/build-extension.ts';
import { pythonOf } from '../scripts/python-environments.mjs';
import { ROOT } from '../scripts/repository.ts';
import { type Figure, figure, median } from './figure.ts';

const TASKS = 1_000;
const WORKERS = 4;
const ROUNDS = 7;
const SAMPLE_MS = 50;

interface Measured {
  readonly wallMs: number;
  /** Peak resident memory of the process in which Luigi runs. */
  readonly peakMb: number;
}

/**
 * A run of 1,000 tasks with 4 workers, started and followed by the built task, against plain `luigi` with the same module,
 * Python and output; interleaved, medians. The wall time is that of the whole process: for the task it includes its own
 * start, the lineage of 1,000 tasks and the report.
 */
export async function followedRun(): Promise<readonly Figure[]> {
  const { folder } = await buildExtension();
  const task = resolve(folder, 'tasks/RunLuigi/RunLuigiV1/index.js');
  const python = pythonOf(ROOT, 'luigi');
  const ours: Measured[] = [];
  const plain: Measured[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    plain.push(await measured(python, plainArguments(), {}));
    ours.push(await measured(process.execPath, [task], stepVariables(python)));
  }
  const name = `${TASKS} tasks, ${WORKERS} workers`;
  return [
    figure('followed-run', `${name}: wall time against plain luigi`, of(ours, 'wallMs'), of(plain, 'wallMs'), 'ms'),
    figure('followed-run', `${name}: peak memory of Luigi`, of(ours, 'peakMb'), of(plain, 'peakMb'), 'MB'),
  ];
}

function of(runs: readonly Measured[], what: keyof Measured): number {
  return median(runs.map((run) => run[what]));
}

function plainArguments(): string[] {
  const retcodes = ['task-failed', 'missing-data', 'not-run', 'scheduling-error', 'unhandled-exception'];
  return [
    ...['-m', 'luigi', '--module', 'wide', 'Root', '--n', String(TASKS - 1)],
    ...['--local-scheduler', '--no-lock', '--workers', String(WORKERS)],
    ...retcodes.flatMap((name) => [`--retcode-${name}`, '30']),
  ];
}

/** What an agent sets, as far as the step needs it. */
function stepVariables(python: string): Record<string, string> {
  return {
    INPUT_MODULE: 'wide',
    INPUT_TASK: 'Root',
    INPUT_PARAMETERS: `n=${TASKS - 1}`,
    INPUT_WORKERS: String(WORKERS),
    INPUT_PYTHON: python,
    SYSTEM_COLLECTIONURI: 'https://dev.azure.com/contoso/',
    SYSTEM_TEAMPROJECT: 'bench',
    SYSTEM_TEAMPROJECTID: '6ce954b1-ce1f-45d1-b94d-e6bf2464ba2c',
    SYSTEM_JOBID: '12f1170f-54f2-53f3-20dd-22fc7dff55f9',
    SYSTEM_TASKINSTANCEID: '5e6d5dbf-ac69-5f56-8b85-8e9038703a8b',
    SYSTEM_DEFINITIONID: '1',
    BUILD_BUILDID: '1',
  };
}

async function measured(
  command: string,
  args: readonly string[],
  variables: Record<string, string>,
): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-bench-'));
  try {
    cpSync(resolve(ROOT, 'test/fixtures/luigi/wide.py'), join(folder, 'wide.py'));
    const places = { PATH: `${dirname(process.execPath)}:${process.env['PATH']}`, HOME: folder, LANG: 'C.UTF-8' };
    const agent = { AGENT_TEMPDIRECTORY: folder, SYSTEM_DEFAULTWORKINGDIRECTORY: folder };
    return await timed(command, args, { cwd: folder, env: { ...places, ...agent, ...variables } });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function timed(
  command: string,
  args: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv },
): Promise<Measured> {
  return new Promise((done, failed) => {
    const started = performance.now();
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let peakMb = 0;
    const look = setInterval(() => {
      peakMb = Math.max(peakMb, ...luigiProcesses(child.pid ?? 0).map(peakOf));
    }, SAMPLE_MS);
    let last = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (last = chunk.toString('latin1')));
    child.on('exit', (code) => {
      clearInterval(look);
      const wallMs = performance.now() - started;
      if (code === 0 && !last.includes('result=Failed')) done({ wallMs, peakMb });
      else failed(new Error(`${command} ended with ${code}: ${last.slice(-500)}`));
    });
  });
}

/** The processes below `root`, itself included, that run Python, without the forks of single tasks. */
function luigiProcesses(root: number, depth = 0): number[] {
  const own = isPython(root) ? [root] : [];
  if (depth === 3) return own;
  return [
    ...own,
    ...childrenOf(root)
      .slice(0, 2)
      .flatMap((pid) => luigiProcesses(pid, depth + 1)),
  ];
}

function childrenOf(pid: number): number[] {
  return read(`/proc/${pid}/task/${pid}/children`).trim().split(' ').filter(Boolean).map(Number);
}

function isPython(pid: number): boolean {
  return read(`/proc/${pid}/comm`).startsWith('python');
}

function peakOf(pid: number): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) / 1_024;
}

/** Empty when the process is gone: between two looks it may end. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
