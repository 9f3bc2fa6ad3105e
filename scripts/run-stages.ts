import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { endGroup } from './end-group.ts';
import { ROOT } from './repository.ts';
import { failureReport, judged, type TestCounts } from './test-counts.ts';
import type { Stage } from './test-stages.ts';

/** Two processors are what the smallest agents have. */
const AT_ONCE = 2;
/** One more where some stages mostly wait for a server. */
export const WITH_WAITING_STAGES = 3;
/** A stage that takes longer hangs. */
const STAGE_LIMIT_MS = 25 * 60_000;

/** Ctrl-C and a polite kill end what runs and begin nothing more. */
const interruption = new AbortController();
const interrupted = interruption.signal;
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interruption.abort());

/** Runs stages, at most `atOnce` at the same time in their order, and says of each how it went as soon as it has ended. */
export async function runStages(stages: readonly Stage[], atOnce = AT_ONCE): Promise<TestCounts[]> {
  const waiting = [...stages];
  const results: TestCounts[] = [];
  const worker = async () => {
    while (!interrupted.aborted) {
      const stage = waiting.shift();
      if (stage === undefined) return;
      results.push(await runStage(stage));
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}

async function runStage(stage: Stage): Promise<TestCounts> {
  const started = performance.now();
  console.log(`  ${stage.name} …`);
  const { output, exitCode } = stage.leavesFiles ? await executeApart(stage) : await execute(stage);
  const counts = judged(stage.counts(output), exitCode, Boolean(process.env['CI']));
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  if (stage.told) console.log(output.trimEnd());
  else if (counts.failed > 0) console.log(`\n${failureReport(output)}`);
  console.log(`${counts.failed > 0 ? '✘' : '✔'} ${stage.name}: ${describe(counts)} in ${seconds} s`);
  for (const skip of counts.skips) console.log(`    left out: ${skip}`);
  return counts;
}

function describe({ passed, failed, skips }: TestCounts): string {
  const parts = [
    `${passed} passed`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(skips.length > 0 ? [`${skips.length} left out`] : []),
  ];
  return parts.join(', ');
}

async function executeApart(stage: Stage): ReturnType<typeof execute> {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-stage-'));
  try {
    return await execute({ ...stage, env: { ...stage.env, TMPDIR: folder } });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function execute(stage: Stage): Promise<{ output: string; exitCode: number | null }> {
  return new Promise((done, fail) => {
    const env = { ...process.env, ...stage.env };
    const child = spawn(stage.command, stage.args, {
      cwd: ROOT,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      // It leads a process group of its own, so that nothing that a hanging test started stays behind.
      detached: true,
    });
    const stop = () => endGroup(child.pid, 'SIGTERM');
    interrupted.addEventListener('abort', stop);
    const { limitMs = STAGE_LIMIT_MS } = stage;
    const limit = setTimeout(() => endGroup(child.pid, 'SIGKILL'), limitMs);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    child.on('error', fail);
    child.on('close', (exitCode, signal) => {
      clearTimeout(limit);
      interrupted.removeEventListener('abort', stop);
      const ended =
        signal === null ? '' : `\n${stage.name} was ended by ${signal}; it may take ${limitMs / 60_000} minutes.`;
      done({ output: output + ended, exitCode });
    });
  });
}

/** The last line of a test run, and its exit status. */
export function conclude(results: readonly TestCounts[]): void {
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  const failed = results.reduce((sum, result) => sum + result.failed, 0);
  console.log(`${passed} passed, ${failed} failed`);
  if (failed > 0 || passed === 0 || interrupted.aborted) process.exitCode = 1;
}
