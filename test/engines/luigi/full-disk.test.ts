import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { RunRef } from '#core/run.ts';
import { cleanUpLuigiRun } from '#engines/luigi/clean-up.ts';
import { findStrays } from '#engines/luigi/stray-processes.ts';
import { fillDisk, mountSmall, strike, unmount } from '../../support/chaos.ts';
import { followToEnd, LuigiScenario, untilStatus } from '../../support/luigi-scenario.ts';

const signal = new AbortController().signal;

describe('a run whose folder lies on a full disk, its outputs elsewhere', function () {
  this.timeout(60_000);
  let scenario: LuigiScenario;
  let disk: string;
  let isMounted: boolean;
  beforeEach(async () => {
    scenario = await LuigiScenario.create();
    disk = join(scenario.folder, 'disk');
    mkdirSync(disk);
    isMounted = mountSmall(disk);
  });
  afterEach(async () => {
    if (isMounted) unmount(disk);
    await scenario.close();
  });

  /** Whoever may not mount gets a folder where the file is to be written. */
  async function fill(ref: RunRef): Promise<void> {
    if (isMounted) await fillDisk(disk);
    else mkdirSync(join(ref.handle, 'stop.json.part'));
  }

  async function startHung() {
    const engine = scenario.engineOf(disk);
    const ref = await engine.start(scenario.request('Hung'), signal);
    await untilStatus(engine, ref);
    return { engine, ref };
  }

  for (const reason of ['cancelled', 'deadline'] as const) {
    it(`is stopped all the same, and that it was is remembered (${reason})`, async () => {
      const { engine, ref } = await startHung();
      await fill(ref);
      assert.equal(await engine.cancel(ref, reason), 'stopped');
      assert.deepEqual(findStrays(ref.id), []);
      assert.equal((await followToEnd(engine, ref)).outcome.state, reason);
    });
  }

  it('is known to have stopped when its supervisor had to be killed', async () => {
    const { engine, ref } = await startHung();
    strike(ref, { victim: 'supervisor', signal: 'SIGSTOP', which: 0 });
    await fill(ref);
    assert.equal(await engine.cancel(ref, 'cancelled'), 'stopped');
    const { outcome } = await followToEnd(engine, ref);
    assert.match(outcome.summary ?? '', /was cancelled: it has stopped/);
  });

  it('is cleaned up after from another process', async () => {
    const { ref } = await startHung();
    await fill(ref);
    const { stopped, left } = await cleanUpLuigiRun(ref.handle);
    assert.deepEqual([stopped, left], [true, 0]);
    assert.deepEqual(findStrays(ref.id), []);
  });
});
