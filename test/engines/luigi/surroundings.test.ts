import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Secret } from '#core/secret.ts';
import { freePort, type RunningLuigid } from '../../../scripts/start-luigid.ts';
import { LuigiScenario } from '../../support/luigi-scenario.ts';
import { startLuigid } from '../../support/luigid.ts';

describe('the surroundings of a Luigi run', function () {
  this.timeout(60_000);
  let scenario: LuigiScenario;
  beforeEach(async () => {
    scenario = await LuigiScenario.create();
  });
  afterEach(() => scenario.close());

  it('give secrets by environment and 0600 file, and none of them is left or told', async () => {
    const canary = 'canary-9f"2e\\71 ä';
    process.env['SYSTEM_ACCESSTOKEN'] = 'the token of the job';
    const { ref, outcome } = await scenario.run('ShowsEnvironment', {
      secretEnvironment: { SECRET_TEXT: new Secret(canary) },
      secretFiles: { SECRET_PATH: new Secret(canary) },
    });
    delete process.env['SYSTEM_ACCESSTOKEN'];
    assert.match(scenario.stdout.bytes.toString(), /^file 0o600 17 environment 17 False$/m);
    assert.equal(outcome.findings[1]?.message, 'ShowsEnvironment(name=step) failed: ValueError: the secret is ***');
    assert.ok(!existsSync(join(ref.handle, 'secrets')));
    for (const name of readdirSync(ref.handle)) {
      assert.ok(!readFileSync(join(ref.handle, name), 'utf8').includes('canary'), name);
    }
    assert.ok(!JSON.stringify(outcome).includes('canary'));
  });

  describe('with a luigid', () => {
    let luigid: RunningLuigid;
    beforeEach(async () => {
      luigid = await startLuigid(scenario.folder);
    });
    afterEach(() => luigid.close());

    for (const workers of [1, 4]) {
      it(`run a graph with ${workers} workers`, async () => {
        const { outcome } = await scenario.run('Good', { scheduler: luigid.url, workers });
        assert.deepEqual([outcome.state, outcome.tasks.length], ['succeeded', 4], outcome.summary);
      });
    }

    it('tell failure, missing input and what could not run apart', async () => {
      const failed = await scenario.run('FailsBelow', { scheduler: luigid.url });
      assert.equal(failed.outcome.findings[0]?.code, 'ERR_RUN_FAILED');
      const missing = await scenario.run('NeedsAbsent', { scheduler: luigid.url });
      assert.equal(missing.outcome.findings[0]?.code, 'ERR_RUN_MISSING_INPUT');
    });
  });

  it('refuse a luigid that nobody reaches', async () => {
    const { outcome } = await scenario.run('Good', { scheduler: `http://127.0.0.1:${await freePort()}` });
    assert.deepEqual(
      [outcome.state, outcome.findings[0]?.code],
      ['failed', 'ERR_SCHEDULER_UNREACHABLE'],
      outcome.summary,
    );
  });
});
