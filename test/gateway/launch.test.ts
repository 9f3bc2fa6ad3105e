import assert from 'node:assert/strict';
import { followAttempt, LaunchScenario } from '../support/launch-scenario.ts';

describe('a local launcher', () => {
  let scenario: LaunchScenario;

  beforeEach(async () => {
    scenario = await LaunchScenario.create();
  });
  afterEach(() => scenario.close());

  it('runs a task and tells of it', async () => {
    const runId = await scenario.start('no_output', 'Hello');
    const { outcome } = await followAttempt(scenario.launcher, runId);
    assert.equal(outcome.state, 'succeeded', JSON.stringify(outcome.findings) + (await scenario.outputOf(runId)));
  });
});
