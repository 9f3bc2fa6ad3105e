import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { sendSignal } from '#engines/luigi/process-identity.ts';
import { ROOT } from '../../scripts/repository.ts';
import { childrenOf, SIGNALS } from '../support/chaos.ts';
import { PipelineFolder, type PipelineRun } from '../support/local-pipeline.ts';
import { processesMarked } from '../support/run-processes.ts';
import { randomNumbers, SOAK_SEED, say } from '../support/soak.ts';

const WIDTH = 4;
const TIMEOUT_S = 8;
/** Start of the task, stop within 5 s, publishing, and the agent's own steps around it. */
const MORE_S = 25;
const VICTIMS = ['step', 'supervisor', 'worker', 'child'] as const;

interface Blow {
  readonly name: string;
  readonly victim: (typeof VICTIMS)[number];
  readonly signal: (typeof SIGNALS)[number];
  readonly delayMs: number;
}

/** Every victim and every signal once; only an agent's own limit, in minutes, ends a step that was stopped. */
function blows(random: () => number): readonly Blow[] {
  return VICTIMS.flatMap((victim) => SIGNALS.map((signal) => ({ victim, signal })))
    .filter(({ victim, signal }) => victim !== 'step' || signal !== 'SIGSTOP')
    .map((blow, i) => ({ ...blow, name: `step${i}`, delayMs: random() * 1_200 }));
}

/** Waits for the processes of a step and strikes one of them; nobody when the step ends first. */
async function strikeStep({ name, victim, signal, delayMs }: Blow, isOver: () => boolean): Promise<boolean> {
  const [step] = await untilAny(() => processesMarked([`CHAOS_STEP=${name}\0`]).map(({ pid }) => pid), isOver);
  if (step === undefined) return false;
  const ways = {
    step: () => [step],
    supervisor: () => childrenOf(step),
    worker: () => childrenOf(step).flatMap(childrenOf),
    child: () => childrenOf(step).flatMap(childrenOf).flatMap(childrenOf),
  };
  // A program that the step starts before its worker (git, Python to look at) is no supervisor.
  await untilAny(() => ways.worker(), isOver);
  await sleep(delayMs);
  const [pid] = ways[victim]();
  return pid !== undefined && sendSignal(pid, signal);
}

async function untilAny(look: () => readonly number[], isOver: () => boolean): Promise<readonly number[]> {
  while (!isOver()) {
    const found = look();
    if (found.length > 0) return found;
    await sleep(20);
  }
  return [];
}

describe('chaos through the local pipeline', () => {
  const folder = new PipelineFolder();
  const all = blows(randomNumbers(SOAK_SEED));
  const met = new Map<string, boolean>();
  let run: PipelineRun;

  before(async () => {
    const file = join(folder.root, 'azure-pipelines.yml');
    writeFileSync(file, stringify({ steps: [{ checkout: 'none' }, ...(await Promise.all(all.map(stepOf)))] }));
    let isOver = false;
    const running = folder.run({ file: relative(ROOT, file) }).finally(() => {
      isOver = true;
    });
    for (const blow of all) met.set(blow.name, await strikeStep(blow, () => isOver));
    run = await running;
    say(`${all.length} steps, ${[...met.values()].filter(Boolean).length} of them struck, seed ${SOAK_SEED}`);
  });
  after(() => folder.remove());

  async function stepOf({ name }: Blow): Promise<object> {
    const workingDirectory = join(folder.work, name);
    await mkdir(workingDirectory);
    const parameters = JSON.stringify({ width: WIDTH, seconds: 0.8 });
    return {
      task: 'RunLuigi@1',
      name,
      displayName: name,
      condition: 'always()',
      inputs: {
        module: 'breakable',
        task: 'Whole',
        parameters,
        workingDirectory,
        timeout: `${TIMEOUT_S}s`,
        workers: '2',
      },
      env: { PYTHONPATH: join(ROOT, 'test/fixtures/luigi'), PYTHONDONTWRITEBYTECODE: '1', CHAOS_STEP: name },
    };
  }

  for (const { name, victim, signal, delayMs } of all) {
    it(`${signal} of the ${victim} after ${Math.round(delayMs)} ms: in time, and green only when it is true`, () => {
      const step = run.report.steps.find((one) => one.name === name);
      assert.ok(step, run.log);
      const state = step.outputs['runState'] ?? 'not told';
      say(`  ${signal} of the ${victim}${met.get(name) ? '' : ' (met nobody)'}: ${step.result}, ${state}`);
      assert.ok(step.durationMs < (TIMEOUT_S + MORE_S) * 1_000, `${step.durationMs} ms`);
      if (step.result.startsWith('Succeeded')) assert.equal(wholeOf(name), wholeText());
      else assert.ok(step.issues.some(({ type }) => type === 'error'));
    });
  }

  it('leaves no process', () => {
    assert.deepEqual(processesMarked(['CHAOS_STEP=step']), []);
  });

  function wholeOf(name: string): string {
    return readFileSync(join(folder.work, name, 'out/whole'), 'utf8');
  }
});

function wholeText(): string {
  return `${Array.from({ length: WIDTH }, (_, number) => `part ${number}\n`).join('')}whole\n`;
}
