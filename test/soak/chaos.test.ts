import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RunOutcome, RunRef } from '#core/run.ts';
import type { Engine } from '#engines/engine.ts';
import { cleanUpLuigiRun } from '#engines/luigi/clean-up.ts';
import { OUTCOME_ROWS } from '#engines/luigi/outcome-rows.ts';
import type { LuigiRunRequest } from '#engines/luigi/request.ts';
import { RunDirectory } from '#engines/luigi/run-directory.ts';
import { followRun } from '#run/follow-run.ts';
import { ROOT } from '../../scripts/repository.ts';
import { cutFile, fillDisk, mountSmall, SIGNALS, strike, unmount, VICTIMS } from '../support/chaos.ts';
import { startElsewhere } from '../support/luigi-run-elsewhere.ts';
import { LuigiScenario } from '../support/luigi-scenario.ts';
import { processesOfRun } from '../support/run-processes.ts';
import { randomNumbers, SOAK_MINUTES, SOAK_SEED, say } from '../support/soak.ts';

const WIDTH = 4;
const TIMEOUT_MS = 5_000;
/** Confirming a stop (4 s), the last net (1 s), the answer of an engine that was given up (5 s), output that is held open (2 s). */
const STOP_MS = 12_000;
/** A run whose owner is gone ends itself within this. */
const SELF_END_MS = 5_000;
const KINDS = ['nothing', 'blow', 'blow', 'blow', 'cancel', 'full disk', 'cut', 'cut after', 'owner', 'owner'] as const;

/** One run and what is done to it, all of it decided by one number. */
class ChaosRun {
  readonly random: () => number;
  readonly kind: (typeof KINDS)[number];
  readonly workers: number;
  readonly delayMs: number;
  readonly name: string;
  readonly #cancel = new AbortController();
  readonly #scenario: LuigiScenario;
  #runs: string;
  #isMounted = false;

  constructor(seed: number, scenario: LuigiScenario) {
    this.random = randomNumbers(seed);
    this.#scenario = scenario;
    this.kind = this.#one(KINDS);
    this.workers = this.#one([1, 3]);
    this.delayMs = this.random() * 1_300;
    this.#runs = scenario.runsDirectory;
    this.name = `${this.kind}, ${this.workers} workers, after ${Math.round(this.delayMs)} ms, SOAK_SEED=${seed}`;
  }

  async outcome(): Promise<{ ref: RunRef; outcome: RunOutcome; what: string }> {
    if (this.kind === 'owner') return this.#ofAnother();
    if (this.kind === 'full disk') this.#mount();
    const engine = this.#scenario.engineOf(this.#runs);
    const ref = await engine.start(this.#request(), new AbortController().signal);
    const [outcome, what] = await Promise.all([this.#follow(engine, ref), this.#harm(ref)]);
    if (this.kind !== 'cut after') return { ref, outcome, what };
    cutFile(join(ref.handle, 'events.jsonl'), this.random());
    return { ref, outcome: await this.#follow(this.#scenario.engineOf(this.#runs), ref), what: 'cut after the end' };
  }

  /** Whether everything that the root promises is there. */
  isWhole(): boolean {
    const parts = Array.from({ length: WIDTH }, (_, number) => `part ${number}\n`);
    try {
      return readFileSync(join(this.#scenario.folder, 'out/whole'), 'utf8') === `${parts.join('')}whole\n`;
    } catch {
      return false;
    }
  }

  close(): void {
    if (this.#isMounted) unmount(this.#runs);
  }

  async #ofAnother(): Promise<{ ref: RunRef; outcome: RunOutcome; what: string }> {
    const id = `run-${process.pid}-${Math.random().toString(36).slice(2)}`;
    const { owner, exited, ref } = await startElsewhere(this.#scenario.folder, id, 'Whole', this.#request(id));
    const signal = this.#one(SIGNALS);
    await sleep(this.delayMs / 2);
    owner.kill(signal);
    const engine = this.#scenario.engineOf();
    if (signal !== 'SIGSTOP') {
      await exited;
      const killed = Date.now();
      while (processesOfRun(id).length > 0 && Date.now() - killed < SELF_END_MS) await sleep(20);
      assert.deepEqual(processesOfRun(id), [], `${this.name}: ${SELF_END_MS} ms after the end of its owner`);
    }
    const outcome = await this.#follow(engine, ref);
    owner.kill('SIGKILL');
    await exited;
    return { ref, outcome, what: `${signal} of the owner` };
  }

  #follow(engine: Engine<LuigiRunRequest>, ref: RunRef): Promise<RunOutcome> {
    return followRun(engine, ref, { signal: this.#cancel.signal, timeoutMs: TIMEOUT_MS });
  }

  async #harm(ref: RunRef): Promise<string> {
    await sleep(this.delayMs);
    const events = new RunDirectory(ref.handle).events;
    switch (this.kind) {
      case 'blow': {
        const blow = { victim: this.#one(VICTIMS), signal: this.#one(SIGNALS), which: this.random() };
        return strike(ref, blow) ? `${blow.signal} of the ${blow.victim}` : 'a blow that met nobody';
      }
      case 'cancel':
        this.#cancel.abort();
        return 'cancel';
      case 'cut':
        cutFile(events, this.random());
        return 'cut while it runs';
      case 'full disk': {
        if (!this.#isMounted) return 'no disk of its own to fill: this user may not mount';
        const freeAfterMs = this.random() < 0.7 ? this.random() * 500 : undefined;
        await fillDisk(this.#runs, freeAfterMs);
        if (freeAfterMs !== undefined) return 'full disk, freed';
        if (this.random() < 0.5) return 'full disk';
        this.#cancel.abort();
        return 'full disk, cancel';
      }
      default:
        return 'nothing';
    }
  }

  #request(id?: string): LuigiRunRequest {
    return this.#scenario.request('Whole', {
      ...(id && { id }),
      module: 'breakable',
      workers: this.workers,
      parameters: { width: WIDTH, seconds: 0.1 + this.random() * 0.5 },
      environment: { PYTHONPATH: join(ROOT, 'test/fixtures/luigi') },
    });
  }

  #mount(): void {
    this.#runs = join(this.#scenario.folder, 'disk');
    mkdirSync(this.#runs);
    this.#isMounted = mountSmall(this.#runs);
  }

  #one<T>(all: readonly T[]): T {
    return all[Math.floor(this.random() * all.length)] as T;
  }
}

describe('chaos', () => {
  const seen = new Map<string, number>();
  let longestMs = 0;
  let strays = 0;

  /** Runs once; fails unless the outcome is one that the table knows, in time, and true. */
  async function live(seed: number): Promise<void> {
    const scenario = await LuigiScenario.create();
    const run = new ChaosRun(seed, scenario);
    const started = Date.now();
    try {
      const { ref, outcome, what } = await run.outcome();
      const tookMs = Date.now() - started;
      longestMs = Math.max(longestMs, tookMs);
      check(run, outcome);
      assert.ok(tookMs < 2 * TIMEOUT_MS + STOP_MS, `${run.name}: ${tookMs} ms`);
      const { found } = await cleanUpLuigiRun(ref.handle);
      strays += found;
      assert.deepEqual(processesOfRun(ref.id), [], run.name);
      const key = `${what}: ${outcome.state}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
    } finally {
      run.close();
      await scenario.close();
    }
  }

  it('of processes, disks and files: never green unless it is true, never longer than the bounds, never an orphan', async () => {
    const end = Date.now() + SOAK_MINUTES * 2 * 60_000;
    say(`seeds from ${SOAK_SEED}`);
    let count = 0;
    for (; Date.now() < end; count += 1) await live(SOAK_SEED + count);
    say(`${count} runs in ${2 * SOAK_MINUTES} min, the longest ${longestMs} ms`);
    say(`${strays} processes were left to the clean-up`);
    for (const [key, times] of [...seen].sort()) say(`  ${String(times).padStart(4)} × ${key}`);
  });
});

function check(run: ChaosRun, outcome: RunOutcome): void {
  const [first] = outcome.findings;
  const about = `${run.name}: ${outcome.state} ${first?.code}: ${outcome.summary}`;
  const row = OUTCOME_ROWS.find(({ state, code }) => state === outcome.state && (code ?? first?.code) === first?.code);
  assert.ok(row, about);
  if (run.kind === 'nothing') assert.ok(['succeeded', 'deadline'].includes(outcome.state), about);
  if (outcome.state !== 'succeeded') {
    assert.equal(first?.severity, 'error', about);
    return;
  }
  assert.ok(run.isWhole(), about);
  const isTold = outcome.tasks.length === WIDTH + 1 && outcome.tasks.every(({ state }) => state === 'done');
  const isNoted = outcome.tasks.every(({ outputs }) => outputs.length === 1);
  if (!isTold || !isNoted) assert.equal(first?.code, 'ERR_RUN_UNVERIFIED', `${about}: evidence is missing`);
}
