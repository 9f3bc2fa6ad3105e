import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import type { Launch } from '../../../../src/gateway/launch/launcher.ts';
import {
  callerOf,
  FakePolicy,
  isOver,
  RunsFixture,
  roleOf,
  specificationOf,
} from '../../../support/gateway/runs-fixture.ts';

const KEYS = ['a', 'b', 'c', 'd'] as const;

type Step =
  | { readonly kind: 'create' | 'cancel'; readonly key: string }
  | { readonly kind: 'finish' | 'fail' | 'lose'; readonly which: number }
  | { readonly kind: 'crash' | 'pause' | 'auditAway' | 'auditBack' | 'storeAway' | 'storeBack' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('create'), key: fc.constantFrom(...KEYS) }) as fc.Arbitrary<Step>,
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('cancel'), key: fc.constantFrom(...KEYS) }) as fc.Arbitrary<Step>,
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('finish', 'fail', 'lose'), which: fc.nat(9) }) as fc.Arbitrary<Step>,
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom('crash', 'pause', 'auditAway', 'auditBack', 'storeAway', 'storeBack'),
    }) as fc.Arbitrary<Step>,
  },
);

/** What happens in whatever order, several things at once. */
class Interleaving {
  readonly fixture = new RunsFixture();
  readonly accepted = new Map<string, Set<string>>();
  readonly asked: Promise<unknown>[] = [];
  #other: DatabaseSync | undefined;

  constructor() {
    this.fixture.policy = new FakePolicy(roleOf('etl', { attempts: 2, concurrency: 2 }));
    this.watchStarts();
  }

  /** A worker of an earlier attempt must have come to its end before the next begins. */
  watchStarts(): void {
    const { machine } = this.fixture;
    this.fixture.launcher.onStart = ({ runId }: Launch) => {
      const beside = machine.alive().filter(({ launch }) => launch.runId === runId);
      assert.deepEqual(beside, [], 'two workers of one run at the same time');
      assert.ok(machine.alive().length < 2, 'more workers than the role allows');
    };
  }

  async apply(step: Step): Promise<void> {
    const { fixture } = this;
    const { machine, service, audit } = fixture;
    switch (step.kind) {
      case 'create':
        this.asked.push(this.#create(step.key).catch(() => undefined));
        return;
      case 'cancel':
        this.asked.push(this.#cancel(step.key).catch(() => undefined));
        return;
      case 'finish':
      case 'fail':
      case 'lose': {
        const alive = machine.alive();
        const worker = alive[step.which % Math.max(1, alive.length)];
        if (!worker) return;
        if (step.kind === 'lose') machine.lose(worker);
        else machine.finish(worker, step.kind === 'finish' ? 'succeeded' : 'failed');
        return;
      }
      case 'storeAway':
        this.#lock();
        return;
      case 'storeBack':
        this.#unlock();
        return;
      case 'auditAway':
        audit.broken = true;
        return;
      case 'auditBack':
        audit.broken = false;
        return;
      case 'pause':
        return new Promise((resolve) => setTimeout(resolve, 3));
      case 'crash':
        return this.#crash(service);
    }
  }

  /** Another program holds the store. */
  #lock(): void {
    if (this.#other) return;
    this.#other = new DatabaseSync(this.fixture.file);
    try {
      this.#other.exec('begin immediate');
    } catch {
      // The store was in the middle of a transaction.
      this.#unlock();
    }
  }

  #unlock(): void {
    this.#other?.close();
    this.#other = undefined;
  }

  async #create(key: string): Promise<void> {
    const { run } = await this.fixture.service.create(callerOf(), key, specificationOf());
    this.accepted.set(key, (this.accepted.get(key) ?? new Set()).add(run.id));
  }

  async #cancel(key: string): Promise<void> {
    const [id] = this.accepted.get(key) ?? [];
    if (id !== undefined) await this.fixture.service.cancel(callerOf(), id, 'cancelled');
  }

  /** The process is gone in the middle of whatever it does: its store is cut off, nothing is waited for. */
  async #crash(service: RunsFixture['service']): Promise<void> {
    const { fixture } = this;
    this.#unlock();
    const gone = service.close();
    await fixture.store.close();
    await gone;
    const { FakeLauncher } = await import('../../../support/gateway/fake-launcher.ts');
    fixture.launcher = new FakeLauncher(fixture.machine);
    this.watchStarts();
    await fixture.start();
  }

  /** Everything comes to its end when nothing is in the way any more. */
  async settle(): Promise<void> {
    const { fixture } = this;
    fixture.audit.broken = false;
    this.#unlock();
    await Promise.all(this.asked);
    for (;;) {
      const { runs } = await fixture.service.list(callerOf(), { limit: 100 });
      if (runs.every(isOver)) return;
      for (const worker of fixture.machine.alive()) fixture.machine.finish(worker);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async check(): Promise<void> {
    const { service, machine } = this.fixture;
    const { runs } = await service.list(callerOf(), { limit: 100 });
    for (const [key, ids] of this.accepted) {
      assert.equal(ids.size, 1, `one run for the key ${key}`);
      assert.equal(runs.filter((run) => run.key === key).length, 1);
      assert.ok(
        runs.some(({ id }) => ids.has(id)),
        'an accepted run is there',
      );
    }
    assert.equal(new Set(machine.starts).size, machine.starts.length, 'one start for an attempt');
    for (const { id, attempt, state } of runs) {
      const starts = machine.starts.filter((start) => start.startsWith(id));
      assert.ok(starts.length <= attempt);
      const successes = starts.filter((start) => machine.workers.get(start)?.updates.some(isSuccess));
      if (state === 'succeeded') assert.equal(successes.length, 1, 'a success is the success of one worker');
      const updates = await service.updates(id, 0, 1_000);
      assert.deepEqual(
        updates.map(({ sequence }) => sequence),
        updates.map((_, place) => place + 1),
      );
      assert.equal(updates.filter(({ update }) => update.kind === 'outcome').length, 1);
      assert.equal(updates.at(-1)?.update.kind, 'outcome');
      const told = updates.filter(({ update }) => update.kind === 'state' && update.state === 'running');
      assert.equal(told.length, starts.length, 'what a worker tells is stored once');
      const intents = this.fixture.audit.types(id).filter((type) => type === 'run.start.intent').length;
      assert.ok(intents >= starts.length, 'no start without a record before it');
    }
  }
}

const isSuccess = (update: { kind: string; outcome?: { state: string } }) =>
  update.kind === 'outcome' && update.outcome?.state === 'succeeded';

describe('runs of a gateway, whatever happens in whatever order', () => {
  it('are never lost, never doubled, and end once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        const interleaving = new Interleaving();
        await interleaving.fixture.start();
        try {
          for (const one of steps) await interleaving.apply(one);
          await interleaving.settle();
          await interleaving.check();
        } finally {
          await interleaving.fixture.remove();
        }
      }),
      { numRuns: 25, endOnFailure: true },
    );
  }).timeout(60_000);
});
