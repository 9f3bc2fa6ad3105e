import assert from 'node:assert/strict';
import { KILL_POINTS, KilledGateway } from '../support/gateway/kill-points.ts';
import { checkAudit, killAndGoOn, loseMachine } from '../support/gateway/killed-runs.ts';

/** Runs that are under way when the gateway is killed at a point of the first one's life. */
const RUNS_AT_ONCE = 2;

describe('a gateway that is killed loses nothing and does nothing twice', () => {
  const gateway = new KilledGateway();
  before(() => gateway.start());
  after(() => gateway.remove());

  for (const [index, point] of KILL_POINTS.entries()) {
    const what = point.cancel ? 'of a run that is cancelled' : 'of a run';
    it(`when ${point.name}, ${what}`, async () => {
      const keys = Array.from({ length: RUNS_AT_ONCE }, (_, number) => `key-${index}-${number}`);
      await killAndGoOn(gateway, { point, keys });
    }).timeout(60_000);
  }

  it('and begins a run again whose worker the machine lost, as the role allows, with both attempts on record', async () => {
    await loseMachine(gateway, 'lost');
    const run = gateway.run('lost');
    assert.deepEqual([run?.state, run?.attempt], ['succeeded', 2]);
    assert.ok(gateway.audited(run?.id).includes('run.lost'));
    assert.ok(gateway.ran().filter((line) => line === 'Leaf lost').length <= 2);
  }).timeout(60_000);

  it('and everything is in an audit log that verifies', () => checkAudit(gateway)).timeout(60_000);
});
