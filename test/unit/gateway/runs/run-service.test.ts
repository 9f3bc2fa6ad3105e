import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { PlumblineError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';
import { fillDisk, mountSmall, unmount } from '../../../support/chaos.ts';
import { taskOf } from '../../../support/gateway/fake-launcher.ts';
import {
  callerOf,
  eventually,
  FakePolicy,
  isOver,
  isRunning,
  RunsFixture,
  roleOf,
  specificationOf,
} from '../../../support/gateway/runs-fixture.ts';

const code = (expected: string) => (thrown: unknown) => {
  assert.equal((thrown as PlumblineError).code, expected, String(thrown));
  return true;
};

describe('runs of a gateway', () => {
  let fixture: RunsFixture;
  beforeEach(async () => {
    fixture = new RunsFixture();
  });
  afterEach(() => fixture.remove());

  const create = async (key = 'key', more = {}, caller = callerOf()) =>
    (await fixture.service.create(caller, key, specificationOf(more))).run;

  it('go from the queue to their outcome, every step on record before it is done', async () => {
    await fixture.start();
    const { id } = await create();
    await fixture.until(id, isRunning);
    await eventually(() => fixture.machine.starts.length === 1);
    const worker = fixture.machine.worker(id);
    fixture.machine.tell(worker, { kind: 'task', task: taskOf('A'), previous: undefined, at: 5 });
    fixture.machine.finish(worker);
    const run = await fixture.until(id, isOver);
    assert.equal(run.state, 'succeeded');
    assert.equal(run.attempt, 1);
    assert.deepEqual(run.code?.digest, `sha256:${'d'.repeat(64)}`);
    await eventually(() => fixture.audit.types(id).includes('run.end'));
    assert.deepEqual(fixture.audit.types(id), [
      'run.create.intent',
      'run.create.outcome',
      'run.start.intent',
      'run.start.outcome',
      'run.end',
    ]);
    const updates = await fixture.service.updates(id, 0, 100);
    assert.deepEqual(
      updates.map(({ sequence, update }) => [sequence, update.kind, update.kind === 'state' ? update.state : '']),
      [
        [1, 'state', 'queued'],
        [2, 'state', 'running'],
        [3, 'task', ''],
        [4, 'state', 'succeeded'],
        [5, 'outcome', ''],
      ],
    );
  });

  it('are one for a key, however many ask at the same time, and across restarts', async () => {
    await fixture.start();
    const asked = await Promise.all(
      Array.from({ length: 100 }, () => fixture.service.create(callerOf(), 'same', specificationOf())),
    );
    assert.equal(new Set(asked.map(({ run }) => run.id)).size, 1);
    assert.equal(asked.filter(({ created }) => created).length, 1);
    assert.equal(fixture.audit.types().filter((type) => type === 'run.create.intent').length, 1);
    await fixture.restart();
    const again = await fixture.service.create(callerOf(), 'same', specificationOf());
    assert.deepEqual([again.created, again.run.id], [false, asked[0]?.run.id]);
    await eventually(() => fixture.machine.starts.length === 1);
  });

  it('refuse a key that was used for another specification', async () => {
    await fixture.start();
    const { id } = await create('k');
    const other = fixture.service.create(callerOf(), 'k', specificationOf({ parameters: { date: '2026-11-21' } }));
    await assert.rejects(other, code('ERR_RUN_KEY_REUSED'));
    assert.equal((await create('k', {}, callerOf('somebody else'))).id === id, false);
  });

  it('do not exist for anybody else, in every way one can ask', async () => {
    await fixture.start();
    const { id } = await create();
    const stranger = callerOf('stranger');
    const otherRun = callerOf(undefined, { use: 'run', runId: '01900000-0000-7000-8000-000000000000' });
    for (const caller of [stranger, otherRun]) {
      const ways = [
        fixture.service.read(caller, id),
        fixture.service.cancel(caller, id, 'cancelled'),
        fixture.service.graph(caller, id),
        fixture.service.lineage(caller, id),
      ];
      for (const way of ways) await assert.rejects(way, code('ERR_RUN_UNKNOWN'));
      assert.deepEqual((await fixture.service.list(caller, { limit: 10 })).runs, []);
    }
    const missing = fixture.service.read(callerOf(), '01900000-0000-7000-8000-000000000000');
    const foreign = await fixture.service.read(stranger, id).catch((error: PlumblineError) => error);
    const absent = await missing.catch((error: PlumblineError) => error);
    assert.equal(
      (foreign as PlumblineError).message.replace(id, ''),
      (absent as PlumblineError).message.replace('01900000-0000-7000-8000-000000000000', ''),
    );
  });

  it('that are denied are on record and not stored', async () => {
    fixture.policy.allow = () => false;
    await fixture.start();
    await assert.rejects(create(), code('ERR_RUN_DENIED'));
    assert.deepEqual(fixture.audit.types(), ['run.denied']);
    assert.deepEqual((await fixture.service.list(callerOf(), { limit: 10 })).runs, []);
  });

  it('that wait are refused at their start when the permission has ended', async () => {
    fixture.policy = new FakePolicy(roleOf('etl', { concurrency: 1 }));
    await fixture.start();
    const first = await create('first');
    await fixture.until(first.id, isRunning);
    const second = await create('second');
    fixture.policy.allow = () => false;
    fixture.policy.sha256 = 'b'.repeat(64);
    await eventually(() => fixture.machine.starts.length === 1);
    fixture.machine.finish(fixture.machine.worker(first.id));
    const run = await fixture.until(second.id, isOver);
    assert.equal(run.state, 'failed');
    assert.deepEqual(run.outcome?.findings[0]?.code, 'ERR_RUN_DENIED');
    const denial = fixture.audit.events.find(({ type }) => type.endsWith('run.denied'));
    assert.equal(denial?.data['policy'], 'b'.repeat(64));
    assert.equal(fixture.machine.starts.length, 1);
  });

  it('are not created without a record, and do not start without one', async () => {
    await fixture.start();
    fixture.audit.broken = true;
    await assert.rejects(create('a'), code('ERR_AUDIT_UNAVAILABLE'));
    fixture.audit.broken = false;
    fixture.policy = new FakePolicy(roleOf('etl', { concurrency: 1 }));
    const first = await create('b');
    await eventually(() => fixture.machine.starts.length === 1);
    const second = await create('c');
    await eventually(() => fixture.audit.types(first.id).includes('run.start.outcome'));
    fixture.audit.broken = true;
    fixture.machine.finish(fixture.machine.worker(first.id));
    await fixture.until(first.id, isOver);
    await eventually(() => fixture.service.problem() !== undefined);
    assert.match(fixture.service.problem() ?? '', /audit/);
    assert.equal((await fixture.service.read(callerOf(), second.id)).state, 'queued');
    assert.equal(fixture.machine.starts.length, 1);
    fixture.audit.broken = false;
    await eventually(() => fixture.machine.starts.length === 2);
    await eventually(() => fixture.audit.types(first.id).includes('run.end'));
  });

  it('are refused beyond what may wait, for a caller and for all', async () => {
    fixture.options = { limits: { runs: 0, queued: 3, queuedPerCaller: 2 } };
    await fixture.start();
    await create('1');
    await create('2');
    await assert.rejects(create('3'), code('ERR_QUEUE_FULL'));
    await create('3', {}, callerOf('other'));
    await assert.rejects(create('4', {}, callerOf('third')), code('ERR_QUEUE_FULL'));
    assert.equal((await create('1')).state, 'queued');
  });

  it('are cancelled while they wait, without a worker', async () => {
    fixture.options = { limits: { runs: 0, queued: 10 } };
    await fixture.start();
    const { id } = await create();
    const { answer, run } = await fixture.service.cancel(callerOf(), id, 'cancelled');
    assert.deepEqual([answer, run.state, run.attempt], ['stopped', 'cancelled', 0]);
    assert.equal(run.outcome?.findings[0]?.code, 'ERR_RUN_CANCELLED');
    await eventually(() => fixture.audit.types(id).includes('run.end'));
    assert.ok(fixture.audit.types(id).includes('run.cancel.intent'));
    const again = await fixture.service.cancel(callerOf(), id, 'cancelled');
    assert.equal(again.answer, 'stopped');
  });

  it('are cancelled while they run, and the answer waits for the end of the worker', async () => {
    await fixture.start();
    const { id } = await create();
    await eventually(() => fixture.machine.starts.length === 1);
    const worker = fixture.machine.worker(id);
    fixture.machine.tell(worker, { kind: 'task', task: taskOf('Slow'), previous: undefined, at: 5 });
    await eventually(async () => (await fixture.service.updates(id, 0, 10)).length === 3);
    const { answer, run } = await fixture.service.cancel(callerOf(), id, 'cancelled');
    assert.deepEqual([answer, run.state, worker.stopAsked], ['stopped', 'cancelled', 'cancelled']);
    assert.match(run.outcome?.summary ?? '', /Slow.* was running/);
  });

  it('that do not stop are asked to and say so; the end comes later', async () => {
    fixture.options = { cancelWaitMs: 20 };
    fixture.launcher.onStop = () => {};
    await fixture.start();
    const { id } = await create();
    await eventually(() => fixture.machine.starts.length === 1);
    const { answer, run } = await fixture.service.cancel(callerOf(), id, 'deadline');
    assert.deepEqual([answer, run.state, run.stopRequested], ['requested', 'running', 'deadline']);
    fixture.launcher.onStop = (worker) => fixture.machine.finish(worker, 'failed');
    assert.equal((await fixture.until(id, isOver)).state, 'deadline');
  });

  it('are stopped when their time is up', async () => {
    await fixture.start();
    const { id } = await create('key', { timeoutMs: 50 });
    const run = await fixture.until(id, isOver);
    assert.equal(run.state, 'deadline');
    assert.equal(fixture.machine.worker(id).stopAsked, 'deadline');
    assert.ok(fixture.audit.types(id).includes('run.cancel.intent'));
  });

  it('get their secrets at the start: recorded by name and version, given to the worker, stored nowhere', async () => {
    const grant = { vault: 'myvault', secret: 'api-key', target: 'environment', name: 'API_KEY' } as const;
    fixture.policy = new FakePolicy(roleOf('etl', { secrets: [grant] }));
    const value = new Secret('canary-of-a-secret');
    fixture.options = {
      secrets: { read: async () => [{ grant, vault: 'myvault', version: '1', value }] },
    };
    await fixture.start();
    const { id } = await create();
    await eventually(() => fixture.machine.starts.length === 1);
    assert.equal(fixture.machine.worker(id).launch.secretVariables['API_KEY']?.reveal(), 'canary-of-a-secret');
    assert.deepEqual((await fixture.service.read(callerOf(), id)).secrets, [
      { vault: 'myvault', name: 'api-key', version: '1', target: 'environment' },
    ]);
    const types = fixture.audit.types(id);
    assert.ok(types.indexOf('secrets.read.intent') < types.indexOf('secrets.read.outcome'));
    assert.doesNotMatch(JSON.stringify(fixture.audit.events), /canary/);
  });

  it('fail with the code of the secret that cannot be had, and nothing is started', async () => {
    const grant = { vault: 'v', secret: 's', target: 'environment', name: 'S' } as const;
    fixture.policy = new FakePolicy(roleOf('etl', { secrets: [grant] }));
    const { PlumblineError } = await import('#core/errors.ts');
    const read = async () => {
      throw new PlumblineError('ERR_SECRET_FORBIDDEN', 'Cannot read it');
    };
    fixture.options = { secrets: { read } };
    await fixture.start();
    const run = await fixture.until((await create()).id, isOver);
    assert.deepEqual([run.state, run.outcome?.findings[0]?.code], ['failed', 'ERR_SECRET_FORBIDDEN']);
    assert.deepEqual(fixture.machine.starts, []);
    const outcome = fixture.audit.events.find(({ type }) => type.endsWith('secrets.read.outcome'));
    assert.deepEqual([outcome?.data['result'], outcome?.data['errorCode']], ['failed', 'ERR_SECRET_FORBIDDEN']);
  });

  it('cannot be given a parameter that the role takes from a vault', async () => {
    const grant = { vault: 'v', secret: 's', target: 'parameter', name: 'api_key' } as const;
    fixture.policy = new FakePolicy(roleOf('etl', { secrets: [grant] }));
    await fixture.start();
    const run = await fixture.until((await create('key', { parameters: { 'api-key': 'mine' } })).id, isOver);
    assert.deepEqual([run.state, run.outcome?.findings[0]?.code], ['failed', 'ERR_PARAMETER_INVALID']);
    assert.deepEqual(fixture.machine.starts, []);
    assert.ok(!fixture.audit.types(run.id).includes('secrets.read.intent'));
  });

  it('refuse to make or find another run for the token of one run', async () => {
    await fixture.start();
    const { id } = await create('first');
    const holder = callerOf(undefined, { use: 'run', runId: id });
    await assert.rejects(create('second', {}, holder), code('ERR_RUN_UNKNOWN'));
    assert.equal((await fixture.service.read(holder, id)).id, id);
  });

  it('begin again when their worker was lost, as often as the role allows, and then are lost', async () => {
    fixture.policy = new FakePolicy(roleOf('etl', { attempts: 2 }));
    await fixture.start();
    const { id } = await create();
    await eventually(() => fixture.machine.starts.length === 1);
    fixture.machine.lose(fixture.machine.worker(id, 1));
    await eventually(() => fixture.machine.starts.length === 2);
    fixture.machine.lose(fixture.machine.worker(id, 2));
    const run = await fixture.until(id, isOver);
    assert.deepEqual([run.state, run.attempt], ['lost', 2]);
    assert.deepEqual(fixture.machine.starts, [`${id}.1`, `${id}.2`]);
    assert.equal(fixture.audit.types(id).filter((type) => type === 'run.lost').length, 2);
    const states = (await fixture.service.updates(id, 0, 100)).flatMap(({ update }) =>
      update.kind === 'state' ? [update.state] : [],
    );
    assert.deepEqual(states, ['queued', 'running', 'queued', 'running', 'lost']);
  });

  it('do not begin again beside what is left of the lost worker', async () => {
    fixture.policy = new FakePolicy(roleOf('etl', { attempts: 2 }));
    fixture.launcher.stop = async () => 'requested';
    await fixture.start();
    const { id } = await create();
    await eventually(() => fixture.machine.starts.length === 1);
    fixture.machine.lose(fixture.machine.worker(id, 1));
    assert.equal((await fixture.until(id, isOver)).state, 'lost');
    assert.equal(fixture.machine.starts.length, 1);
  });

  it('wait while the store is locked by another program, and nothing is lost or done twice', async () => {
    const { DatabaseSync } = await import('node:sqlite');
    await fixture.start();
    const { id } = await create();
    await eventually(() => fixture.machine.starts.length === 1);
    await eventually(async () => (await fixture.service.updates(id, 0, 10)).length === 2);
    const other = new DatabaseSync(fixture.file);
    other.exec('begin immediate');
    const worker = fixture.machine.worker(id);
    for (let i = 0; i < 20; i += 1)
      fixture.machine.tell(worker, { kind: 'task', task: taskOf(`T${i}`), previous: undefined, at: 5 });
    fixture.machine.finish(worker);
    await assert.rejects(create('other'), code('ERR_STORE_UNAVAILABLE'));
    assert.notEqual(fixture.service.problem(), undefined);
    other.exec('rollback');
    other.close();
    const run = await fixture.until(id, isOver);
    assert.equal(run.state, 'succeeded');
    const updates = await fixture.service.updates(id, 0, 100);
    assert.deepEqual(
      updates.map(({ sequence }) => sequence),
      Array.from({ length: 24 }, (_, i) => i + 1),
    );
    assert.equal((await create('other')).state, 'queued');
  }).timeout(15_000);

  it('are refused while the disk is full; those that go on lose nothing (needs root)', async function () {
    const disk = join(fixture.folder, 'disk');
    mkdirSync(disk);
    if (!mountSmall(disk, '1m')) return this.skip();
    fixture.file = join(disk, 'store.sqlite');
    try {
      await fixture.start();
      const { id } = await create();
      await eventually(() => fixture.machine.starts.length === 1);
      const worker = fixture.machine.worker(id);
      await fillDisk(disk);
      const statusMessage = 'x'.repeat(2_000);
      for (let i = 0; i < 100; i += 1)
        fixture.machine.tell(worker, { kind: 'status', task: taskOf(`T${i}`, { statusMessage }), at: 5 });
      fixture.machine.finish(worker);
      await eventually(() => fixture.service.problem()?.includes('disk is full') === true);
      await assert.rejects(
        create('other', { parameters: { long: 'x'.repeat(10_000) } }),
        code('ERR_STORE_UNAVAILABLE'),
      );
      rmSync(join(disk, 'fill'));
      assert.equal((await fixture.until(id, isOver)).state, 'succeeded');
      const updates = await fixture.service.updates(id, 0, 1_000);
      assert.deepEqual(
        updates.map(({ sequence }) => sequence),
        Array.from({ length: 104 }, (_, i) => i + 1),
      );
      assert.equal((await create('other')).state, 'queued');
      await fixture.stop();
    } finally {
      unmount(disk);
    }
  });

  it('are listed newest first, by pages that do not move, and by filter', async () => {
    fixture.options = { limits: { runs: 0, queued: 100 } };
    fixture.policy = new FakePolicy(roleOf('etl'), roleOf('reports'));
    await fixture.start();
    const ids: string[] = [];
    for (let i = 0; i < 7; i += 1) ids.unshift((await create(`k${i}`, { role: i % 2 ? 'reports' : 'etl' })).id);
    const seen: string[] = [];
    for (let cursor: string | undefined, first = true; first || cursor; first = false) {
      const page = await fixture.service.list(callerOf(), { limit: 3, cursor });
      seen.push(...page.runs.map(({ id }) => id));
      if (first) await create('newer');
      cursor = page.cursor;
    }
    assert.deepEqual(seen, ids);
    const filtered = await fixture.service.list(callerOf(), { limit: 10, role: 'reports' });
    assert.equal(filtered.runs.length, 3);
    assert.equal((await fixture.service.list(callerOf(), { limit: 10, key: 'k3' })).runs[0]?.id, ids[3]);
    assert.equal((await fixture.service.list(callerOf(), { limit: 10, state: 'running' })).runs.length, 0);
    await assert.rejects(fixture.service.list(callerOf(), { limit: 1, cursor: 'nonsense' }), code('ERR_INPUT_INVALID'));
  });

  it('are removed with folder and updates when their time is over, and the audit stays', async () => {
    await fixture.start();
    const old = await create('old');
    const going = await create('going');
    await eventually(() => fixture.machine.starts.length === 2);
    fixture.machine.finish(fixture.machine.worker(old.id));
    await eventually(() => fixture.audit.types(old.id).includes('run.end'));
    const records = fixture.audit.events.length;
    fixture.options = { keepEndedMs: 0 };
    await fixture.restart();
    await eventually(async () => (await fixture.service.list(callerOf(), { limit: 10 })).runs.length === 1);
    await assert.rejects(fixture.service.read(callerOf(), old.id), code('ERR_RUN_UNKNOWN'));
    assert.deepEqual(await fixture.service.updates(old.id, 0, 10), []);
    assert.deepEqual(fixture.machine.removed, [`${old.id}.1`]);
    assert.equal((await fixture.service.read(callerOf(), going.id)).state, 'running');
    assert.ok(fixture.audit.events.length >= records);
  });

  it('tell their graph while they go, and their lineage at the end', async () => {
    await fixture.start();
    const { id } = await create('key', { claimed: { organization: 'fabrikam', project: 'Shop', pipeline: 'nightly' } });
    assert.equal(await fixture.service.graph(callerOf(), id), undefined);
    assert.equal(await fixture.service.lineage(callerOf(), id), undefined);
    await eventually(() => fixture.machine.starts.length === 1);
    const worker = fixture.machine.worker(id);
    const root = taskOf('Root', { dependsOn: ['Leaf'], state: 'pending' });
    const outputs = [{ namespace: 'file', name: '/data/leaf.csv', type: 'LocalTarget' }];
    const leaf = taskOf('Leaf', { state: 'done', startedAt: 1, endedAt: 2, outputs });
    for (const task of [root, leaf]) fixture.machine.tell(worker, { kind: 'task', task, previous: undefined, at: 5 });
    await eventually(async () => (await fixture.service.graph(callerOf(), id)) !== undefined);
    const graph = await fixture.service.graph(callerOf(), id);
    assert.deepEqual([graph?.root, [...(graph?.nodes.keys() ?? [])]], ['Root', ['Root', 'Leaf']]);
    fixture.machine.finish(worker, 'succeeded', { rootTaskId: 'Root' });
    await fixture.until(id, isOver);
    const lineage = await fixture.service.lineage(callerOf(), id);
    assert.equal(lineage?.namespace, 'azure-devops://org/Shop');
    assert.ok(lineage?.events.some((event) => event.outputs.some(({ name }) => name === '/data/leaf.csv')));
    const facet = lineage?.events[0]?.run.facets['plumbline_gateway'];
    assert.deepEqual(facet?.['signed'], { project: 'p', run: '7', commit: 'c'.repeat(40) });
    assert.equal((facet?.['code'] as { digest?: string })?.digest, `sha256:${'d'.repeat(64)}`);
    await eventually(() => fixture.audit.types(id).includes('run.end'));
    const end = fixture.audit.events.find(({ type }) => type.endsWith('run.end'));
    assert.deepEqual(end?.data['outputs'], [{ namespace: 'file', name: '/data/leaf.csv' }]);
  });

  it('put nothing that looks like a credential into the audit, and are recorded all the same', async () => {
    await fixture.start();
    const token = `eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhYmMifQ.${'x'.repeat(30)}`;
    const { id } = await create(token, { claimed: { token: 'x', note: token } });
    await eventually(() => fixture.machine.starts.length === 1);
    fixture.machine.finish(fixture.machine.worker(id));
    await eventually(() => fixture.audit.types(id).includes('run.end'));
    assert.doesNotMatch(JSON.stringify(fixture.audit.events), /eyJzdWIi/);
  });
});
