import assert from 'node:assert/strict';
import { startOrAdopt } from '#run/start-or-adopt.ts';
import { startElsewhere } from '../../support/luigi-run-elsewhere.ts';
import { followToEnd, LuigiScenario, straysOnceThereAre, untilStatus } from '../../support/luigi-scenario.ts';

const signal = new AbortController().signal;

describe('a Luigi run and those who come later', function () {
  this.timeout(60_000);
  let scenario: LuigiScenario;
  let key: string;
  beforeEach(async () => {
    scenario = await LuigiScenario.create();
    key = `key-${process.pid}-${Date.now()}`;
  });
  afterEach(() => scenario.close());

  const request = (task: string, attempt = '1.1') => scenario.request(task, { id: key, attempt });

  it('starts once for an id', async () => {
    const first = await scenario.engine.start(request('Good'), signal);
    assert.deepEqual(await scenario.engine.start(request('Good'), signal), first);
    assert.deepEqual(await scenario.engineOf().start(request('Good'), signal), first);
    assert.equal((await followToEnd(scenario.engine, first)).outcome.state, 'succeeded');
    assert.equal(scenario.stderr.bytes.toString().split('Luigi Execution Summary').length - 1, 2);
  });

  it('is adopted while its owner lives, and followed to its end', async () => {
    const { exited, ref } = await startElsewhere(scenario.folder, key, 'Brief');
    const { ref: found, how } = await startOrAdopt(scenario.engine, request('Brief'), 'adopt', signal);
    assert.deepEqual([how, found], ['adopted', ref]);
    const { outcome, updates } = await followToEnd(scenario.engine, found);
    assert.deepEqual([outcome.state, outcome.adopted], ['succeeded', false]);
    assert.ok(updates.some((update) => update.kind === 'task' && update.task.state === 'done'));
    await exited;
  });

  it('ends itself when its owner is killed, and the next attempt runs anew', async () => {
    const { owner, exited, ref } = await startElsewhere(scenario.folder, key, 'Hung');
    owner.kill('SIGKILL');
    await exited;
    const found = await scenario.engine.find(key, signal);
    assert.equal(found?.state, 'failed');
    assert.deepEqual(await straysOnceThereAre(ref.id, (count) => count === 0), []);
    const next = await startOrAdopt(scenario.engine, request('Good', '1.2'), 'adopt', signal);
    assert.deepEqual([next.how, next.ref.id, next.standing], ['started', `${key}~2`, 'unsuccessful']);
    assert.equal((await followToEnd(scenario.engine, next.ref)).outcome.state, 'succeeded');
  });

  it('is taken over as it ended within the same attempt, and run again in the next', async () => {
    await followToEnd(scenario.engine, await scenario.engine.start(request('Good'), signal));
    const later = scenario.engineOf();
    const same = await startOrAdopt(later, request('Good'), 'adopt', signal);
    assert.equal(same.how, 'adopted');
    const { outcome } = await followToEnd(later, same.ref);
    assert.deepEqual([outcome.state, outcome.adopted, outcome.tasks.length], ['succeeded', true, 4]);
    const next = await startOrAdopt(later, request('Good', '1.2'), 'adopt', signal);
    assert.equal(next.ref.id, `${key}~2`);
    assert.match((await followToEnd(later, next.ref)).outcome.summary ?? '', /nothing had to run/);
  });

  it('is found while it runs', async () => {
    assert.equal(await scenario.engine.find(key, signal), undefined);
    const ref = await scenario.engine.start(request('Hung'), signal);
    await untilStatus(scenario.engine, ref);
    assert.deepEqual(await scenario.engineOf().find(key, signal), { ref, state: 'running', attempt: '1.1' });
    await scenario.engine.cancel(ref, 'deadline');
    assert.equal((await scenario.engineOf().find(key, signal))?.state, 'deadline');
  });
});
