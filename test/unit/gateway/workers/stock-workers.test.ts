import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PlumblineError } from '#core/errors.ts';
import type { Caller } from '#gateway/auth/caller.ts';
import type { Decision, RunPermission } from '#gateway/policy/policy.ts';
import type { Role } from '#gateway/policy/role.ts';
import { Store } from '#gateway/store/store.ts';
import type { StockWorkerSpecification } from '#gateway/workers/stock-worker.ts';
import { StockWorkers } from '#gateway/workers/stock-workers.ts';
import { callerOf, eventually, FakePolicy, MemoryAudit, roleOf } from '../../../support/gateway/runs-fixture.ts';
import { type HandClock, handClock } from '../../../support/hand-clock.ts';

const START = Date.UTC(2026, 10, 21, 12);
const HOUR = 3_600_000;
const WANTED: StockWorkerSpecification = { role: 'etl', module: 'sales.daily', task: 'Load', parameters: { day: '7' } };

const code = (expected: string) => (thrown: unknown) => {
  assert.equal((thrown as PlumblineError).code, expected, String(thrown));
  return true;
};

/** The policy also ends by time, as a binding does. */
class TimedPolicy extends FakePolicy {
  until: number | undefined;

  override decide(wanted: RunPermission, now: number): Decision {
    return { ...super.decide(wanted, now), until: this.until };
  }
}

class Place {
  readonly folder = mkdtempSync(join(tmpdir(), 'plumbline-stock-'));
  readonly audit = new MemoryAudit();
  readonly clock: HandClock = handClock(START);
  readonly logged: string[] = [];
  policy = new TimedPolicy(this.role('etl'), this.role('inner', { scheduler: 'local' }), roleOf('runs-only'));
  store!: Store;
  workers!: StockWorkers;

  role(name: string, more: Partial<Role> = {}): Role {
    return roleOf(name, { stockLuigi: true, maxRuntimeMs: 2 * HOUR, ...more });
  }

  async open(): Promise<void> {
    this.store = await Store.open(join(this.folder, 'store.sqlite'));
    this.workers = await StockWorkers.open({
      store: this.store,
      audit: this.audit,
      policy: () => this.policy,
      keepEndedMs: 24 * HOUR,
      limits: { perCaller: 3, all: 5 },
      clock: this.clock,
      log: (message, facts) => this.logged.push(`${message} ${JSON.stringify(facts)}`),
    });
  }

  async close(): Promise<void> {
    await this.workers.close();
    await this.store.close();
  }

  async reopen(): Promise<void> {
    await this.close();
    await this.open();
  }

  /** Registers; gives the worker's id. */
  async register(
    key = 'k',
    changes: Partial<StockWorkerSpecification> = {},
    caller: Caller = callerOf(),
  ): Promise<string> {
    const { worker } = await this.workers.register(caller, key, { ...WANTED, ...changes }, 'request-1');
    return `${worker.id}.0`;
  }

  /** Time passes until it is so. */
  async until(is: () => boolean | Promise<boolean>): Promise<void> {
    await eventually(async () => {
      this.clock.move(2_000);
      return is();
    });
  }

  /** Reasons of the ends on record. */
  ends(): unknown[] {
    const ended = this.audit.events.filter(({ type }) => type === 'dev.plumbline.luigid.worker.ended');
    return ended.map(({ data }) => data['reason']);
  }
}

describe('registered stock workers', () => {
  let place: Place;
  beforeEach(async () => {
    place = new Place();
    await place.open();
  });
  afterEach(async () => {
    await place.close();
    rmSync(place.folder, { recursive: true, force: true });
  });

  it('are decided on with all that was asked for, and are on record before they live', async () => {
    let asked: RunPermission | undefined;
    place.policy.allow = (wanted) => {
      asked = wanted;
      return true;
    };
    const caller = callerOf();
    const id = await place.register('nightly', { lifetimeMs: HOUR }, caller);
    assert.deepEqual(asked, {
      caller,
      role: 'etl',
      module: 'sales.daily',
      task: 'Load',
      parameters: { day: '7' },
      timeoutMs: HOUR,
    });
    assert.deepEqual(place.workers.find(id), {
      id,
      kind: 'stock',
      runId: id.slice(0, -2),
      attempt: 0,
      caller,
      role: 'etl',
    });
    const [event] = place.audit.events;
    assert.equal(event?.type, 'dev.plumbline.luigid.worker.registered');
    assert.equal(event?.subject, id.slice(0, -2));
    const { worker, expiresAt, role, module, task, parameterNames, key, requestId, policy, binding } =
      event?.data ?? {};
    assert.deepEqual(
      { worker, expiresAt, role, module, task, parameterNames, key, requestId, policy, binding },
      {
        worker: id,
        expiresAt: START + HOUR,
        role: 'etl',
        module: 'sales.daily',
        task: 'Load',
        parameterNames: ['day'],
        key: 'nightly',
        requestId: 'request-1',
        policy: 'a'.repeat(64),
        binding: 'b',
      },
    );
  });

  it('does not register what cannot be put on record', async () => {
    place.audit.broken = true;
    await assert.rejects(place.register(), code('ERR_AUDIT_UNAVAILABLE'));
    place.audit.broken = false;
    const id = await place.register();
    assert.notEqual(place.workers.find(id), undefined);
  });

  for (const [what, changes, reason] of [
    ['a role that is not there', { role: 'nobody' }, 'no-binding'],
    ['a role that is not for stock Luigi', { role: 'runs-only' }, 'stock-luigi'],
    ['a role with a scheduler of its own', { role: 'inner' }, 'scheduler'],
  ] as const) {
    it(`refuses ${what}, on record`, async () => {
      await assert.rejects(place.register('k', changes), code('ERR_RUN_DENIED'));
      assert.deepEqual(place.audit.types(), ['run.denied']);
      const { data = {} } = place.audit.events[0] ?? {};
      assert.equal((data['reasons'] as unknown as { reason: string }[])[0]?.reason, reason);
      assert.equal(data['allowed'], false);
    });
  }

  it('gives the same one for the same key and body, and refuses another body', async () => {
    const id = await place.register('k');
    assert.equal(await place.register('k'), id);
    await assert.rejects(place.register('k', { task: 'Other' }), code('ERR_RUN_KEY_REUSED'));
    assert.notEqual(await place.register('k', {}, callerOf('somebody else')), id, "keys are a caller's own");
    assert.notEqual(await place.register('k2'), id);
    assert.equal(place.audit.types().filter((type) => type === 'luigid.worker.registered').length, 3);
  });

  it('gives one of two at the same time to both', async () => {
    const [one, other] = await Promise.all([place.register('k'), place.register('k')]);
    assert.equal(one, other);
  });

  it('never brings one back that has ended: its key is used up', async () => {
    const id = await place.register('k');
    assert.equal(await place.workers.end(callerOf(), id), true);
    assert.equal(place.workers.find(id), undefined);
    await assert.rejects(place.register('k'), code('ERR_RUN_KEY_REUSED'));
    await place.reopen();
    await assert.rejects(place.register('k'), code('ERR_RUN_KEY_REUSED'));
    place.clock.move(25 * HOUR);
    await place.until(() =>
      place.register('k').then(
        () => true,
        () => false,
      ),
    );
  });

  it('does not exist for anybody but who registered it', async () => {
    const id = await place.register();
    assert.equal(await place.workers.end(callerOf('somebody else'), id), false);
    assert.equal(await place.workers.end(callerOf(), id.replace(/^./, 'f')), false);
    assert.notEqual(place.workers.find(id), undefined);
    assert.deepEqual(place.ends(), []);
  });

  it('ends by itself: at its time, that of the role, that of the binding', async () => {
    const short = await place.register('a', { lifetimeMs: 60_000 });
    const long = await place.register('b');
    place.policy.until = START + HOUR;
    const bound = await place.register('c');
    place.clock.move(59_999);
    assert.notEqual(place.workers.find(short), undefined);
    place.clock.move(1);
    assert.equal(place.workers.find(short), undefined);
    place.clock.set(START + HOUR);
    assert.equal(place.workers.find(bound), undefined);
    assert.notEqual(place.workers.find(long), undefined);
    place.clock.set(START + 2 * HOUR);
    assert.equal(place.workers.find(long), undefined);
    await place.until(() => place.ends().length === 3);
    assert.deepEqual(place.ends(), ['expired', 'expired', 'expired']);
  });

  it('ends for good when the policy no longer allows it', async () => {
    const id = await place.register();
    const worker = place.workers.find(id);
    assert.ok(worker);
    assert.equal(place.workers.decide(worker, place.policy, place.clock.now()).allowed, true);
    place.policy.allow = () => false;
    place.workers.policyChanged();
    assert.equal(place.workers.find(id), undefined);
    place.policy.allow = () => true;
    assert.equal(place.workers.find(id), undefined);
    await place.until(() => place.ends().length === 1);
    assert.deepEqual(place.ends(), ['policy']);
  });

  it('lives on behind a restart, with whose it is and until when', async () => {
    const caller = callerOf('cron', { claims: { team: 'data' } });
    const id = await place.register('k', {}, caller);
    const gone = await place.register('gone');
    await place.workers.end(callerOf(), gone);
    await place.reopen();
    assert.deepEqual(place.workers.find(id)?.caller, caller);
    assert.equal(place.workers.find(gone), undefined);
    assert.equal(await place.register('k', {}, caller), id);
    await place.close();
    place.clock.move(2 * HOUR);
    await place.open();
    assert.equal(place.workers.find(id), undefined);
    await place.until(() => place.ends().length === 2);
    assert.deepEqual(place.ends(), ['ended', 'expired']);
  });

  it('is dead at once when its end cannot be recorded, and the record follows, also behind a restart', async () => {
    const [first, second] = [await place.register('a'), await place.register('b')];
    place.audit.broken = true;
    await assert.rejects(place.workers.end(callerOf(), first), code('ERR_AUDIT_UNAVAILABLE'));
    await assert.rejects(place.workers.end(callerOf(), second), code('ERR_AUDIT_UNAVAILABLE'));
    assert.deepEqual([place.workers.find(first), place.workers.find(second)], [undefined, undefined]);
    await place.reopen();
    assert.equal(place.workers.find(first), undefined);
    place.audit.broken = false;
    await place.until(() => place.ends().length === 2);
    assert.deepEqual(place.ends(), ['ended', 'ended']);
  });

  it('is bounded for a caller and for all', async () => {
    for (const key of ['a', 'b', 'c']) await place.register(key);
    await assert.rejects(place.register('d'), code('ERR_QUEUE_FULL'));
    await place.register('a', {}, callerOf('second'));
    const last = await place.register('b', {}, callerOf('second'));
    await assert.rejects(place.register('a', {}, callerOf('third')), code('ERR_QUEUE_FULL'));
    await place.workers.end(callerOf('second'), last);
    await place.register('a', {}, callerOf('third'));
  });

  it('keeps no claim of a caller once it has ended', async () => {
    const id = await place.register('k', {}, callerOf('cron', { claims: { canary: 'claim-canary-5e1f' } }));
    await place.workers.end(callerOf('cron'), id);
    const rows = await place.store.database.selectFrom('stock_workers').selectAll().execute();
    assert.equal(JSON.stringify(rows).includes('claim-canary-5e1f'), false);
    await place.close();
    const files = readdirSync(place.folder).map((name) => readFileSync(join(place.folder, name)));
    assert.equal(
      files.some((bytes) => bytes.includes('recorded')),
      true,
    );
    await place.open();
  });
});
