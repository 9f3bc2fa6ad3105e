import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildGateway } from '../../scripts/build-gateway.ts';
import { fillDisk } from '../support/chaos.ts';
import { type CreatedRun, OutageScenario } from '../support/outage-scenario.ts';
import { say } from '../support/soak.ts';

const AWAY_MS = 60_000;

/** How a run ended; green only with what it was to make. */
async function truthOf(scenario: OutageScenario, run: CreatedRun, name: string): Promise<string> {
  const { state } = await scenario.endOf(run, 240_000);
  assert.ok(state !== 'succeeded' || scenario.isDone(name), 'green without its output');
  return state;
}

/** The same of one that was asked for during the outage: refused, or accepted and kept. */
async function laterTruth(scenario: OutageScenario, answer: Response): Promise<string> {
  const { id, runToken } = (await answer.json()) as { id: string; runToken: string };
  if (answer.status === 201) return truthOf(scenario, { id, proof: { authorization: `Bearer ${runToken}` } }, 'c');
  assert.equal(answer.status, 503);
  return 'refused';
}

describe('a gateway whose surroundings are away for a minute in mid-run', () => {
  let program: string;
  let scenario: OutageScenario | undefined;

  before(async () => {
    ({ program } = await buildGateway());
  });
  afterEach(() => scenario?.close());

  for (const away of ['luigid', 'azure'] as const) {
    it(`${away === 'azure' ? 'issuer and Key Vault' : 'luigid'}: every run ends with the truth`, async () => {
      scenario = await OutageScenario.start(program);
      assert.ok(scenario);
      const running = [await scenario.create('waiting', 'a'), await scenario.create('secretive', 'b')];
      await Promise.all(['a', 'b'].map((name) => scenario?.started(name)));
      await scenario.wires[away].cut();
      scenario.open('a');
      const later = await scenario.ask('secretive', 'c');
      await sleep(AWAY_MS);
      await scenario.wires[away].mend();
      for (const name of ['b', 'c']) scenario.open(name);
      const states = [];
      for (const [i, run] of running.entries()) states.push(await truthOf(scenario, run, ['a', 'b'][i] ?? ''));
      states.push(await laterTruth(scenario, later));
      say(`${away} away for ${AWAY_MS / 1_000} s: ${states.join(', ')}`);
      await scenario.assertAudited(['a', 'b', 'c']);
    });
  }

  it('the disk of the state: nothing begins, nothing is lost (needs root)', async function () {
    scenario = await OutageScenario.start(program, { stateDisk: '3m' });
    if (scenario === undefined) return this.skip();
    const run = await scenario.create('waiting', 'd');
    await scenario.started('d');
    const full = fillDisk(scenario.gateway.files.state, AWAY_MS);
    await scenario.until(async () => (await scenario?.ask('waiting', 'e'))?.status === 503);
    scenario.open('d');
    await full;
    const { state } = await scenario.endOf(run, 240_000);
    say(`disk full for ${AWAY_MS / 1_000} s: ${state}`);
    assert.equal(state, 'succeeded');
    assert.equal(scenario.starts('e'), 0);
    await scenario.assertAudited(['d', 'e']);
  });
});
