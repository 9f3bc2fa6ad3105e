import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { buildGateway } from '../../scripts/build-gateway.ts';
import { fillDisk } from '../support/chaos.ts';
import { OutageScenario } from '../support/outage-scenario.ts';

/** Long enough for everything to notice; a minute in test/soak/gateway-outages.test.ts. */
const AWAY_MS = 1_500;

describe('a gateway whose surroundings go away in mid-run', function () {
  this.timeout(120_000);
  let program: string;
  let scenario: OutageScenario;

  before(async () => {
    ({ program } = await buildGateway());
  });
  afterEach(() => scenario?.close());

  async function start(options = {}): Promise<OutageScenario> {
    const started = await OutageScenario.start(program, options);
    assert.ok(started);
    return started;
  }

  it('luigid comes back: the run ends well', async () => {
    scenario = await start();
    const run = await scenario.create('waiting', 'a');
    await scenario.started('a');
    await scenario.wires.luigid.cut();
    scenario.open('a');
    await sleep(AWAY_MS);
    await scenario.wires.luigid.mend();
    const { state } = await scenario.endOf(run);
    assert.equal(state, 'succeeded');
    assert.ok(scenario.isDone('a'));
    await scenario.assertAudited(['a']);
  });

  it('luigid stays away: the run ends, and not well', async () => {
    scenario = await start();
    const run = await scenario.create('waiting', 'b');
    await scenario.started('b');
    await scenario.wires.luigid.cut();
    scenario.open('b');
    const { state, findings } = await scenario.endOf(run);
    assert.notEqual(state, 'succeeded');
    assert.ok(findings.some(({ severity }) => severity === 'error'));
    await scenario.assertAudited(['b']);
  });

  it('the issuer is away: what runs goes on, and after a restart nobody is let in until its keys are there', async () => {
    scenario = await start();
    const run = await scenario.create('waiting', 'c');
    await scenario.started('c');
    await scenario.wires.azure.cut();
    assert.equal((await scenario.ask('waiting', 'd')).status, 201, 'keys that are known serve on');
    await scenario.gateway.stop();
    await scenario.gateway.restart();
    const refused = await scenario.ask('waiting', 'e');
    assert.equal(refused.status, 503);
    assert.equal(((await refused.json()) as { code: string }).code, 'issuer-unavailable');
    scenario.open('c');
    assert.equal((await scenario.endOf(run)).state, 'succeeded');
    await scenario.wires.azure.mend();
    await scenario.until(async () => (await scenario.ask('waiting', 'f')).status === 201);
    scenario.open('d');
    assert.equal(scenario.starts('e'), 0);
    await scenario.assertAudited(['c', 'd', 'e', 'f']);
  });

  it('Key Vault is away: nothing starts without its secrets, and the run says so or waits for them', async () => {
    scenario = await start();
    const first = await scenario.create('secretive', 'g');
    await scenario.started('g');
    await scenario.wires.azure.cut();
    scenario.open('g');
    assert.equal((await scenario.endOf(first)).state, 'succeeded', 'who has its secrets needs no vault');
    const answer = await scenario.ask('secretive', 'h');
    const { id, runToken } = (await answer.json()) as { id: string; runToken: string };
    assert.equal(answer.status, 201);
    await sleep(AWAY_MS);
    assert.equal(scenario.starts('h'), 0);
    scenario.open('h');
    await scenario.wires.azure.mend();
    const outcome = await scenario.endOf({ id, proof: { authorization: `Bearer ${runToken}` } });
    if (outcome.state === 'succeeded') assert.equal(scenario.starts('h'), 1);
    else {
      assert.equal(outcome.state, 'failed');
      assert.match(outcome.findings[0]?.code ?? '', /^ERR_(VAULT|HTTP|IDENTITY|SECRET)_/);
      assert.equal(scenario.starts('h'), 0);
    }
    await scenario.assertAudited(['g', 'h']);
  });

  it('the disk of the state is full: nothing new begins, what runs is not lost (needs root)', async function () {
    const started = await OutageScenario.start(program, { stateDisk: '3m' });
    if (started === undefined) return this.skip();
    scenario = started;
    const run = await scenario.create('waiting', 'i');
    await scenario.started('i');
    const full = fillDisk(scenario.gateway.files.state, AWAY_MS * 2);
    await scenario.until(async () => (await scenario.ask('waiting', 'j')).status === 503, AWAY_MS);
    scenario.open('i');
    await full;
    assert.equal((await scenario.endOf(run)).state, 'succeeded');
    await scenario.until(async () => (await scenario.ask('waiting', 'k')).status === 201);
    await scenario.started('k');
    scenario.open('k');
    assert.equal(scenario.starts('j'), 0);
    await scenario.assertAudited(['i', 'j', 'k']);
  });
});
