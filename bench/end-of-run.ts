import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Writable } from 'node:stream';
import { luigiAgent } from '#engines/luigi/luigi-agent.ts';
import { resolvePython } from '#engines/luigi/python-interpreter.ts';
import { followRun } from '#run/follow-run.ts';
import { pythonOf } from '../scripts/python-environments.mjs';
import { ROOT } from '../scripts/repository.ts';
import { type Figure, figure, median } from './figure.ts';

const ROUNDS = 15;
/** The goal: half of the time in which a person notices a delay. */
const GOAL_MS = 50;

/**
 * From the end of a run, the moment at which its supervisor writes the exit record, until the step has the outcome. There
 * is no peer for it; the goal of 50 ms stands in its place.
 */
export async function endOfRun(): Promise<readonly Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'plumbline-bench-'));
  try {
    const times: number[] = [];
    for (let round = 0; round < ROUNDS; round++) times.push(await oneRun(folder, round));
    return [
      figure('end-of-run', 'end of the run until the step knows, against the goal', median(times), GOAL_MS, 'ms'),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function oneRun(folder: string, round: number): Promise<number> {
  const signal = new AbortController().signal;
  const python = await resolvePython({ python: pythonOf(ROOT, 'luigi'), workingDirectory: folder });
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const engine = luigiAgent({
    workerPath: resolve(ROOT, 'src/worker/plumbline_luigi'),
    runsDirectory: join(folder, 'runs'),
    output: { stdout: nowhere, stderr: nowhere },
  });
  const ref = await engine.start(
    {
      id: `bench-${round}`,
      attempt: '1.1',
      module: 'wide',
      task: 'Root',
      parameters: { n: 20 + round },
      secretParameters: {},
      environment: { PYTHONPATH: resolve(ROOT, 'test/fixtures/luigi'), PYTHONDONTWRITEBYTECODE: '1' },
      secretEnvironment: {},
      secretFiles: {},
      python,
      workingDirectory: folder,
      scheduler: 'local',
      workers: 1,
      redact: [],
    },
    signal,
  );
  const outcome = await followRun(engine, ref, { signal });
  const knownAt = Date.now();
  if (outcome.tasks.length === 0) throw new Error(`The run did nothing: ${outcome.summary}`);
  return knownAt - exitedAt(ref.handle);
}

/** Milliseconds since the epoch, from the record that the supervisor leaves. */
function exitedAt(runDirectory: string): number {
  const { at } = JSON.parse(readFileSync(join(runDirectory, 'exit.json'), 'utf8')) as { at: number };
  return at * 1_000;
}
