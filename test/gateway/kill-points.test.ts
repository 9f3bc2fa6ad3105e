import { KILL_POINTS, KilledGateway } from '../support/gateway/kill-points.ts';
import { checkAudit, killAndGoOn } from '../support/gateway/killed-runs.ts';

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

  it('and everything is in an audit log that verifies', () => checkAudit(gateway)).timeout(60_000);
});
