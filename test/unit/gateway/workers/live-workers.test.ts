import assert from 'node:assert/strict';
import type { RunPermission } from '#gateway/policy/policy.ts';
import { liveWorkers } from '#gateway/workers/live-workers.ts';
import type { Workers } from '#gateway/workers/worker.ts';
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
import { type HandClock, handClock } from '../../../support/hand-clock.ts';

describe('workers that live', () => {
  let fixture: RunsFixture;
  let clock: HandClock;
  beforeEach(() => {
    fixture = new RunsFixture();
    clock = handClock(1_000_000);
  });
  afterEach(() => fixture.remove());

  const workers = (): Workers => liveWorkers({ runs: fixture.service.workers, policy: () => fixture.policy, clock });
  const started = async () => {
    const { run } = await fixture.service.create(callerOf(), 'key', specificationOf());
    await eventually(() => fixture.machine.workers.has(`${run.id}.1`));
    return run.id;
  };

  it('are those whose run goes on, with who started it and under which role', async () => {
    let atStart: string | undefined;
    fixture.launcher.onStart = ({ runId, attempt }) => {
      atStart = workers().find(`${runId}.${attempt}`)?.id;
    };
    await fixture.start();
    const id = await started();
    assert.equal(atStart, `${id}.1`, 'a worker may ask before its start is answered');
    const worker = workers().find(`${id}.1`);
    const { caller, ...facts } = worker ?? {};
    assert.deepEqual(facts, { id: `${id}.1`, kind: 'run', runId: id, attempt: 1, role: 'etl' });
    assert.equal(caller?.subject, callerOf().subject);
    assert.equal(workers().find(`${id}.1`), worker, 'the same object as long as it lives');
    for (const other of [`${id}.2`, `${id}.0`, id, `${id}.`, `${id}.1.1`, `${id}.1:x`, '', '.1'])
      assert.equal(workers().find(other), undefined, other);
    assert.equal(worker && workers().uidOf(worker), 61_001, 'whom the launcher started it as');
    assert.equal(worker && workers().uidOf({ ...worker, kind: 'stock' }), undefined, 'it runs elsewhere');
    fixture.machine.finish(fixture.machine.worker(id));
    await fixture.until(id, isOver);
    assert.equal(workers().find(`${id}.1`), undefined);
  });

  it('are unknown as soon as somebody has asked to stop the run, also while it is winding down', async () => {
    fixture.options = { cancelWaitMs: 1 };
    fixture.launcher.onStop = () => {};
    await fixture.start();
    const id = await started();
    await fixture.until(id, isRunning);
    const { answer } = await fixture.service.cancel(callerOf(), id, 'cancelled');
    assert.equal(answer, 'requested');
    assert.equal(workers().find(`${id}.1`), undefined);
    await fixture.restart();
    await fixture.service.recovered();
    assert.equal(workers().find(`${id}.1`), undefined, 'a restart does not forget it');
    fixture.machine.finish(fixture.machine.worker(id), 'cancelled');
    await fixture.until(id, isOver);
  });

  it('are known again after a restart when they are found alive, and never those that are gone', async () => {
    await fixture.start();
    const alive = await started();
    await fixture.until(alive, isRunning);
    const { run: other } = await fixture.service.create(callerOf(), 'other', specificationOf());
    await eventually(() => fixture.machine.workers.has(`${other.id}.1`));
    await fixture.stop();
    fixture.machine.worker(other.id).lost = true;
    await fixture.start();
    await fixture.service.recovered();
    assert.equal(workers().find(`${alive}.1`)?.id, `${alive}.1`);
    assert.equal(workers().find(`${other.id}.1`), undefined);
  });

  it('are the newest attempt alone', async () => {
    fixture.policy = new FakePolicy(roleOf('etl', { attempts: 2 }));
    await fixture.start();
    const id = await started();
    await fixture.until(id, isRunning);
    fixture.machine.lose(fixture.machine.worker(id));
    await eventually(() => fixture.machine.workers.has(`${id}.2`));
    assert.equal(workers().find(`${id}.1`), undefined);
    assert.equal(workers().find(`${id}.2`)?.attempt, 2);
  });

  it('are decided on by the policy in force, at once when it changes and after a second in any case', async () => {
    await fixture.start();
    const id = await started();
    const asked: RunPermission[] = [];
    const allow = (answer: boolean) => (wanted: RunPermission) => {
      asked.push(wanted);
      return answer;
    };
    fixture.policy.allow = allow(true);
    const live = workers();
    const worker = live.find(`${id}.1`);
    assert.ok(worker);
    assert.ok(live.decide(worker).allowed && live.decide(worker).allowed);
    assert.equal(asked.length, 1);
    const { caller, role, module, task, parameters } = asked[0] as RunPermission;
    const specification = specificationOf();
    assert.deepEqual(
      [caller.subject, role, module, task, parameters],
      [callerOf().subject, 'etl', specification.module, specification.task, specification.parameters],
    );

    fixture.policy.allow = allow(false);
    clock.move(999);
    assert.ok(live.decide(worker).allowed);
    clock.move(1);
    assert.ok(!live.decide(worker).allowed, 'a second is over');

    fixture.policy = new FakePolicy(roleOf('etl'));
    fixture.policy.sha256 = 'b'.repeat(64);
    assert.ok(live.decide(worker).allowed, 'another policy');
    fixture.policy.allow = allow(false);
    clock.move(-5_000);
    assert.ok(!live.decide(worker).allowed, 'a clock that was set back makes nothing last longer');
  });

  it('are refused when the run ended between two questions', async () => {
    await fixture.start();
    const id = await started();
    const live = workers();
    const worker = live.find(`${id}.1`);
    assert.ok(worker);
    fixture.machine.finish(fixture.machine.worker(id));
    await fixture.until(id, isOver);
    const { allowed, policy, reasons } = live.decide(worker);
    assert.deepEqual([allowed, policy, reasons], [false, fixture.policy.sha256, [{ reason: 'worker-unknown' }]]);
  });
});
