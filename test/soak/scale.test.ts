import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { luigiAgent } from '#engines/luigi/luigi-agent.ts';
import { ROOT } from '../../scripts/repository.ts';
import { followToEnd, LuigiScenario, WORKER_PATH } from '../support/luigi-scenario.ts';
import { LuigiSteps } from '../support/luigi-steps.ts';
import { startLuigid } from '../support/luigid.ts';
import { say } from '../support/soak.ts';

const MODULES = { PYTHONPATH: join(ROOT, 'test/fixtures/luigi') };
const LEAVES = 9_999;
/** Luigi's own scheduler takes time with the square of what is to be run: the rest is there already, as in a daily run. */
const TO_RUN = 250;
const MEGABYTES = 100;

/** Takes everything and keeps its size. */
class Meter extends Writable {
  bytes = 0;
  newlines = 0;

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.bytes += chunk.length;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) this.newlines += 1;
    done();
  }
}

/** Says how long it took and how much this process grew at most. */
async function measured<T>(name: string, work: () => Promise<T>): Promise<T> {
  const [started, before] = [Date.now(), process.memoryUsage().rss];
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage().rss);
  }, 100);
  try {
    return await work();
  } finally {
    clearInterval(timer);
    const grown = Math.round((most - before) / 2 ** 20);
    say(`${name}: ${((Date.now() - started) / 1_000).toFixed(1)} s, this process grew by ${grown} MB at most`);
  }
}

describe('very much of everything', () => {
  let scenario: LuigiScenario;
  beforeEach(async () => {
    scenario = await LuigiScenario.create();
  });
  afterEach(() => scenario.close());

  it('10,000 tasks through the engine: each is told, with its state and its output', async () => {
    for (let leaf = TO_RUN; leaf < LEAVES; leaf += 1) writeFileSync(join(scenario.folder, `out/leaf-${leaf}`), '');
    const request = { module: 'wide', parameters: { n: LEAVES }, environment: MODULES };
    const { outcome, updates } = await measured('10,000 tasks, engine', () => scenario.run('Root', request));
    assert.equal(outcome.state, 'succeeded', outcome.summary);
    assert.deepEqual(outcome.findings, []);
    const states = outcome.tasks.map(({ state }) => state);
    assert.equal(states.filter((state) => state === 'done').length, TO_RUN + 1);
    assert.equal(states.filter((state) => state === 'complete').length, LEAVES - TO_RUN);
    assert.ok(outcome.tasks.every(({ outputs }) => outputs.length === 1));
    const told = new Set(updates.flatMap((update) => (update.kind === 'task' ? [update.task.id] : [])));
    assert.equal(told.size, LEAVES + 1);
  });

  it('10,000 tasks through the step: report, summary and lineage have them all or count what they left out', async () => {
    const there = Array.from({ length: LEAVES - TO_RUN }, (_, i) => [`out/leaf-${TO_RUN + i}`, ''] as const);
    const steps = new LuigiSteps({
      vast: {
        module: 'wide',
        task: 'Root',
        parameters: { n: LEAVES },
        inputs: { timeout: '8m', lineage: 'run' },
        files: { ...Object.fromEntries(there), 'out/.keep': '' },
      },
    });
    try {
      await measured('10,000 tasks, step', () => steps.run());
      const { outputs, report, summary } = steps.succeeded('vast');
      assert.deepEqual([outputs['tasksTotal'], outputs['tasksFailed']], [String(LEAVES + 1), '0']);
      assert.deepEqual(report.counts, { done: TO_RUN + 1, complete: LEAVES - TO_RUN });
      const cut = new Map(report.cut.map(({ what, kept, total }) => [what, total - kept]));
      assert.equal(report.tasks.length + (cut.get('tasks') ?? 0), LEAVES + 1);
      assert.equal(report.tasks.filter(({ state }) => state === 'done').length, TO_RUN + 1, 'what ran comes first');
      assert.match(summary, /251 of 10000 tasks had to run: 251 done/);
      const events = readFileSync(steps.attachment('vast', 'plumbline-lineage'), 'utf8').trim().split('\n');
      assert.equal(
        events.length,
        2 * (TO_RUN + 1 + 2),
        'a start and an end of each that ran, of the run and of the step',
      );
      say(`report: ${report.tasks.length} tasks, ${JSON.stringify(report.cut)}; lineage: ${events.length} events`);
    } finally {
      steps.remove();
    }
  });

  it('1,000 tasks, a real luigid and four workers', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'plumbline-luigid-'));
    const luigid = await startLuigid(folder);
    try {
      const request = {
        module: 'wide',
        parameters: { n: 999 },
        environment: MODULES,
        scheduler: luigid.url,
        workers: 4,
      };
      const { outcome } = await measured('1,000 tasks, luigid, 4 workers', () => scenario.run('Root', request));
      assert.deepEqual([outcome.state, outcome.findings], ['succeeded', []], outcome.summary);
      assert.deepEqual([...new Set(outcome.tasks.map(({ state }) => state))], ['done']);
      assert.equal(outcome.tasks.length, 1_000);
    } finally {
      await luigid.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it(`${MEGABYTES} MB of output, half of it in one line: every byte, in bounded memory`, async () => {
    const meter = new Meter();
    const output = { stdout: meter, stderr: scenario.stderr };
    const engine = luigiAgent({ workerPath: WORKER_PATH, runsDirectory: scenario.runsDirectory, output });
    const request = scenario.request('Shouting', {
      module: 'shouting',
      parameters: { megabytes: MEGABYTES },
      environment: MODULES,
    });
    const { outcome } = await measured(`${MEGABYTES} MB of output`, async () =>
      followToEnd(engine, await engine.start(request, new AbortController().signal)),
    );
    assert.equal(outcome.state, 'succeeded', outcome.summary);
    const half = (MEGABYTES / 2) * 2 ** 20;
    const lines = Math.floor(half / 127);
    assert.deepEqual([meter.bytes, meter.newlines], [half + 1 + lines * 127, 1 + lines]);
  });

  it(`${MEGABYTES} MB of output through the step`, async () => {
    const steps = new LuigiSteps({
      loud: { module: 'shouting', task: 'Shouting', parameters: { megabytes: MEGABYTES }, inputs: { timeout: '8m' } },
    });
    try {
      await measured(`${MEGABYTES} MB of output, step`, () => steps.run());
      assert.equal(steps.succeeded('loud').outputs['runState'], 'succeeded');
      assert.ok(steps.log.length > MEGABYTES * 2 ** 20);
    } finally {
      steps.remove();
    }
  });
});
