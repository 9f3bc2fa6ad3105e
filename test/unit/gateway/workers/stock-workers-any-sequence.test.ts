import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { Store } from '#gateway/store/store.ts';
import { StockWorkers } from '#gateway/workers/stock-workers.ts';
import { callerOf, eventually, FakePolicy, MemoryAudit, roleOf } from '../../../support/gateway/runs-fixture.ts';
import { handClock } from '../../../support/hand-clock.ts';

const MINUTE = 60_000;
const LONGEST = 30 * MINUTE;

/** What may happen to registrations, in any order. */
type Step =
  | { readonly do: 'register'; readonly who: string; readonly key: string; readonly minutes: number }
  | { readonly do: 'end'; readonly who: string; readonly which: number }
  | { readonly do: 'pass'; readonly minutes: number }
  | { readonly do: 'policy'; readonly allows: boolean }
  | { readonly do: 'audit'; readonly broken: boolean }
  | { readonly do: 'restart' };

const WHO = fc.constantFrom('ann', 'bob');
const STEP: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('register' as const),
      who: WHO,
      key: fc.constantFrom('a', 'b', 'c'),
      minutes: fc.integer({ min: 1, max: 60 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('end' as const), who: WHO, which: fc.nat(5) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('pass' as const), minutes: fc.integer({ min: 0, max: 20 }) }) },
  fc.record({ do: fc.constant('policy' as const), allows: fc.boolean() }),
  fc.record({ do: fc.constant('audit' as const), broken: fc.boolean() }),
  fc.record({ do: fc.constant('restart' as const) }),
);

interface Known {
  readonly id: string;
  readonly who: string;
  readonly expiresAt: number;
  ended: boolean;
}

/** Registrations beside what is expected of them. */
class Model {
  readonly folder = mkdtempSync(join(tmpdir(), 'plumbline-stock-'));
  readonly clock = handClock(Date.UTC(2026, 10, 21));
  readonly audit = new MemoryAudit();
  readonly policy = new FakePolicy(roleOf('etl', { stockLuigi: true, maxRuntimeMs: LONGEST }));
  readonly known: Known[] = [];
  store!: Store;
  workers!: StockWorkers;

  async open(): Promise<void> {
    this.store = await Store.open(join(this.folder, 'store.sqlite'));
    const policy = () => this.policy;
    this.workers = await StockWorkers.open({
      ...{ store: this.store, audit: this.audit, clock: this.clock, policy },
      keepEndedMs: 365 * 86_400_000,
    });
  }

  async close(): Promise<void> {
    await this.workers.close();
    await this.store.close();
  }

  async take(step: Step): Promise<void> {
    if (step.do === 'register') await this.#register(step);
    else if (step.do === 'end') await this.#end(step);
    else if (step.do === 'pass') this.clock.move(step.minutes * MINUTE);
    else if (step.do === 'audit') this.audit.broken = step.broken;
    else if (step.do === 'restart') await this.close().then(() => this.open());
    else this.#decree(step.allows);
    this.check();
  }

  /** Alive is what was registered, was not ended, is not over and is allowed; nothing else. */
  check(): void {
    for (const { id, who, expiresAt, ended } of this.known) {
      const alive = !ended && this.clock.now() < expiresAt;
      assert.equal(this.workers.find(id)?.caller.subject, alive ? who : undefined, id);
    }
  }

  /** Everything that lived and ended is on record once, in this order. */
  async settled(): Promise<void> {
    this.audit.broken = false;
    this.#decree(false);
    const lines = () =>
      this.known.map(({ id }) => this.audit.types(id.slice(0, -2)).filter((type) => type.startsWith('luigid.')));
    await eventually(() => {
      this.clock.move(MINUTE);
      return lines().every((types) => types.includes('luigid.worker.ended'));
    });
    const once = ['luigid.worker.registered', 'luigid.worker.ended'];
    assert.deepEqual(
      lines(),
      this.known.map(() => once),
    );
  }

  async #register({ who, key, minutes }: Extract<Step, { do: 'register' }>): Promise<void> {
    const specification = { role: 'etl', module: 'm', task: 'T', parameters: {}, lifetimeMs: minutes * MINUTE };
    try {
      const { worker, created } = await this.workers.register(callerOf(who), key, specification, 'r');
      const id = `${worker.id}.0`;
      const before = this.known.find((one) => one.id === id);
      assert.equal(before === undefined, created);
      assert.ok(created || before?.ended === false, 'a key that was used up gave a worker');
      if (!created) return;
      assert.equal(worker.expiresAt, this.clock.now() + Math.min(minutes * MINUTE, LONGEST));
      this.known.push({ id, who, expiresAt: worker.expiresAt, ended: false });
    } catch (error) {
      const { code } = error as { code?: string };
      const expected = ['ERR_RUN_DENIED', 'ERR_RUN_KEY_REUSED', 'ERR_AUDIT_UNAVAILABLE'];
      assert.ok(code !== undefined && expected.includes(code), String(error));
    }
  }

  async #end({ who, which }: Extract<Step, { do: 'end' }>): Promise<void> {
    const one = this.known[which];
    if (one === undefined) return;
    const alive = this.workers.find(one.id) !== undefined;
    const isOwn = await this.workers.end(callerOf(who), one.id).catch((error: { code?: string }) => {
      assert.equal(error.code, 'ERR_AUDIT_UNAVAILABLE');
      return true;
    });
    if (one.who !== who) assert.equal(isOwn, false);
    else if (alive) assert.equal(isOwn, true);
    if (isOwn) one.ended = true;
  }

  #decree(allows: boolean): void {
    this.policy.allow = () => allows;
    this.workers.policyChanged();
    if (!allows) for (const one of this.known) one.ended = true;
  }
}

describe('registered stock workers, in any sequence of what may happen', () => {
  it('live exactly as long as they may, and their ends are on record', async function () {
    this.timeout(60_000);
    await fc.assert(
      fc.asyncProperty(fc.array(STEP, { minLength: 5, maxLength: 40 }), async (steps) => {
        const model = new Model();
        await model.open();
        try {
          for (const step of steps) await model.take(step);
          await model.settled();
        } finally {
          await model.close();
          rmSync(model.folder, { recursive: true, force: true });
        }
      }),
      { numRuns: 40 },
    );
  });
});
