import { KILL_POINTS, KilledGateway } from '../support/gateway/kill-points.ts';
import { checkAudit, killAndGoOn } from '../support/gateway/killed-runs.ts';
import { randomNumbers, SOAK_SEED, say } from '../support/soak.ts';

const ROUNDS = 20;
const RUNS_AT_ONCE = 3;
const LONGEST_DELAY_MS = 150;

describe('a gateway that is killed at every point of a run, again and again', () => {
  const gateway = new KilledGateway();
  before(() => gateway.start());
  after(() => gateway.remove());

  it(`loses nothing and does nothing twice in ${ROUNDS} rounds`, async () => {
    const random = randomNumbers(SOAK_SEED);
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [index, point] of KILL_POINTS.entries()) {
        const keys = Array.from({ length: RUNS_AT_ONCE }, (_, number) => `key-${round}-${index}-${number}`);
        // Every other round at the point itself, else somewhere behind it.
        const delayMs = round % 2 === 0 ? 0 : random() * LONGEST_DELAY_MS;
        await killAndGoOn(gateway, { point, keys, delayMs });
      }
    }
    await checkAudit(gateway);
    say(`${ROUNDS * KILL_POINTS.length} killings, ${gateway.runs().length} runs, seed ${SOAK_SEED}`);
  }).timeout(28 * 60_000);
});
