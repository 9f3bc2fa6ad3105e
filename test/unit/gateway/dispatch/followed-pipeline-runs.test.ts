import assert from 'node:assert/strict';
import { stateOf } from '#gateway/dispatch/pipeline-run-follower.ts';
import { eventually } from '../../../support/eventually.ts';
import { DispatchWorld, requestOf } from '../../../support/gateway/dispatch-world.ts';

describe('runs of pipelines', () => {
  let world: DispatchWorld;
  beforeEach(async () => {
    world = await DispatchWorld.open();
  });
  afterEach(async () => {
    await world.close();
    assert.deepEqual(world.azure.findings, []);
  });

  const started = (id: number) =>
    Object.assign(world.azure.builds.find((one) => one.id === id) ?? {}, { status: 'inProgress' });

  it('are followed from state to state to their end, each told once', async () => {
    const { id } = await world.queued('k');
    started(100);
    await eventually(async () => (await world.read(id)).state === 'running', 'the run to run');
    world.azure.end(100, 'failed');
    const run = await world.ended(id);
    assert.equal(run.state, 'failed');
    const updates = await world.dispatch.updates(id, 0, 100);
    assert.deepEqual(
      updates.map(({ sequence, update }) => [sequence, update.kind === 'state' ? update.state : update.kind]),
      [
        [1, 'queued'],
        [2, 'queued'],
        [3, 'running'],
        [4, 'failed'],
        [5, 'outcome'],
      ],
    );
    await eventually(() => world.audit.types(id).includes('dispatch.end'), 'the record of the end');
  });

  it('end as Azure DevOps says; what it does not say is unknown, never a success', () => {
    const states = ['succeeded', 'partiallySucceeded', 'failed', 'canceled', 'none', '', 'Succeeded', 'x'].map(
      (result) => stateOf({ status: 'completed', result }),
    );
    assert.deepEqual(states, ['succeeded', 'partiallySucceeded', 'failed', 'cancelled', ...Array(4).fill('unknown')]);
    const going = ['none', 'notStarted', 'postponed', 'inProgress', 'cancelling', 'brandNew'];
    assert.deepEqual(
      going.map((status) => stateOf({ status, result: 'succeeded' })),
      ['queued', 'queued', 'queued', 'running', 'running', 'running'],
    );
  });

  it('are asked for together, however many they are', async () => {
    const runs = await Promise.all(Array.from({ length: 12 }, (_, i) => world.queued(`k${i}`)));
    const from = world.azure.asked.length;
    for (const { id } of world.azure.builds) world.azure.end(id, 'succeeded');
    await Promise.all(runs.map(({ id }) => world.ended(id)));
    const reads = world.azure.asked.slice(from).filter(({ url }) => url.searchParams.has('buildIds'));
    assert.ok(reads.length < 8, `${reads.length} requests for 12 runs`);
  });

  it('are followed on after a restart, also when they ended meanwhile', async () => {
    const { id } = await world.queued('k');
    await world.stop();
    world.azure.end(100, 'succeeded');
    await world.start();
    assert.equal((await world.ended(id)).state, 'succeeded');
    await eventually(() => world.audit.types(id).includes('dispatch.end'), 'the record of the end');
  });

  it('stay as they were while Azure DevOps cannot be read, which is told, and go on by themselves', async () => {
    const { id } = await world.queued('k');
    world.azure.script = () => ({ status: 401, body: { message: 'TF400813' } });
    await eventually(async () => /TF400813/.test((await world.read(id)).problem ?? ''), 'the trouble');
    assert.match(world.dispatch.problem() ?? '', /fabrikam.*TF400813/);
    assert.equal((await world.read(id)).state, 'queued');
    world.azure.end(100, 'succeeded');
    world.azure.script = () => undefined;
    const run = await world.ended(id);
    assert.deepEqual([run.state, run.problem, world.dispatch.problem()], ['succeeded', undefined, undefined]);
  });

  it('are left alone for as long as Azure DevOps asks', async () => {
    const { id } = await world.queued('k');
    let throttled = 0;
    const before = world.clock.now();
    world.azure.script = () => (throttled++ === 0 ? { status: 429, headers: { 'retry-after': '60' } } : undefined);
    await eventually(async () => (await world.read(id)).problem !== undefined, 'the trouble');
    world.azure.end(100, 'succeeded');
    await world.ended(id);
    assert.ok(world.clock.now() - before >= 60_000);
    assert.equal(throttled, 2);
  });

  it('that are gone are unknown', async () => {
    const { id } = await world.queued('k');
    world.azure.builds.splice(0);
    const run = await world.ended(id);
    assert.deepEqual([run.state, run.error?.code], ['unknown', 'ERR_PIPELINE_UNKNOWN']);
    assert.match(run.error?.message ?? '', /run 100/);
  });

  it('that nobody can read for a day are unknown', async () => {
    await world.close();
    world = await DispatchWorld.open(40_000);
    const { id } = await world.queued('k');
    world.azure.script = () => ({ status: 403, body: { message: 'View builds is needed' } });
    const run = await world.ended(id);
    assert.equal(run.state, 'unknown');
    assert.match(run.error?.message ?? '', /View builds/);
  });

  it('are removed with their keys when their time is over, and not before', async () => {
    await world.close();
    world = await DispatchWorld.open(20_000);
    const { id } = await world.queued('k');
    world.azure.end(100, 'succeeded');
    await world.ended(id);
    assert.equal((await world.create('k')).created, false);
    await eventually(async () => (await world.create('k')).created, 'its key to be free');
    await eventually(() => world.azure.queueings.length === 2, 'a second run');
  });

  it('wait for the record of their end, when the audit is away', async () => {
    const { id } = await world.queued('k');
    world.audit.broken = true;
    world.azure.end(100, 'succeeded');
    assert.equal((await world.ended(id)).state, 'succeeded');
    world.audit.broken = false;
    await eventually(() => world.audit.types(id).includes('dispatch.end'), 'the record of the end');
  });

  it('are not more than may wait', async () => {
    world.azure.script = () => ({ status: 429, headers: { 'retry-after': '600' } });
    const asked = await Promise.allSettled(
      Array.from({ length: 70 }, (_, i) => world.create(`k${i}`, requestOf({ templateParameters: {} }))),
    );
    const refused = asked.filter(({ status }) => status === 'rejected');
    assert.equal(refused.length, 10);
  });
});
