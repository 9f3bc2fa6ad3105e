import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { NumberedUpdate } from '#gateway/runs/run-row.ts';
import { UpdateHub } from '#gateway/runs/update-hub.ts';
import { taskOf } from '../../../support/gateway/fake-launcher.ts';
import { callerOf, eventually, isOver, RunsFixture, specificationOf } from '../../../support/gateway/runs-fixture.ts';

const update = (sequence: number): NumberedUpdate => ({
  sequence,
  update: { kind: 'state', state: 'running', at: sequence },
});
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => update(from + index));

describe('updates for watchers', () => {
  it('are the very ones of the store, wherever a page begins', () => {
    const batch = fc.integer({ min: 1, max: 200 });
    fc.assert(
      fc.property(
        fc.array(batch, { maxLength: 8 }),
        fc.nat(1_500),
        fc.integer({ min: 1, max: 300 }),
        (sizes, after, limit) => {
          const hub = new UpdateHub();
          let last = 0;
          for (const size of sizes) {
            hub.publish('run', range(last + 1, last + size));
            last += size;
          }
          const page = hub.page('run', after, limit);
          const inStore = range(1, last).slice(after, after + limit);
          if (page !== undefined) assert.deepEqual(page, inStore);
          else assert.ok(after > last || after < last - 256 || last === 0, 'memory has the newest ones');
        },
      ),
    );
  });

  it('are asked of the store after a gap, until memory has them again', () => {
    const hub = new UpdateHub();
    hub.publish('run', range(1, 3));
    hub.publish('run', range(6, 7));
    assert.equal(hub.page('run', 3, 10), undefined);
    assert.deepEqual(hub.page('run', 5, 10), range(6, 7));
    hub.changed('run');
    assert.equal(hub.page('run', 5, 10), undefined);
  });

  it('are told to each watcher until it leaves, and nothing is kept for nobody', () => {
    const hub = new UpdateHub();
    let first = 0;
    let second = 0;
    const leave = hub.watch('run', () => first++);
    hub.watch('run', () => second++);
    hub.publish('run', range(1, 1));
    leave();
    leave();
    hub.publish('run', range(2, 2));
    assert.deepEqual([first, second, hub.watchers], [1, 2, 1]);
    hub.publish('alone', range(1, 2));
    hub.end('alone');
    assert.equal(hub.page('alone', 0, 10), undefined);
    hub.end('run');
    assert.deepEqual(hub.page('run', 0, 10), range(1, 2));
  });

  it('reach a thousand watchers once each and in order, also one that reads late', async () => {
    const fixture = new RunsFixture();
    try {
      const service = await fixture.start();
      const { id } = (await service.create(callerOf(), 'key', specificationOf())).run;
      const seen: number[][] = Array.from({ length: 1_000 }, () => []);
      const read = async (watcher: number[], isSlow: boolean) => {
        let wake = () => {};
        const leave = service.watch(id, () => wake());
        for (let over = false; !over; ) {
          const news = new Promise<void>((resolve) => {
            wake = resolve;
          });
          const page = await service.updates(id, watcher.length, 64);
          watcher.push(...page.map(({ sequence }) => sequence));
          over = page.at(-1)?.update.kind === 'outcome';
          if (isSlow) await fixture.until(id, isOver);
          else if (page.length === 0) await news;
        }
        leave();
      };
      const watching = seen.map((watcher, index) => read(watcher, index === 0));
      await eventually(() => fixture.machine.starts.length === 1);
      const worker = fixture.machine.worker(id);
      for (let index = 0; index < 600; index += 1) {
        fixture.machine.tell(worker, { kind: 'task', task: taskOf(`T${index}`), previous: undefined, at: 5 });
        if (index % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      fixture.machine.finish(worker);
      await Promise.all(watching);
      const expected = Array.from({ length: 604 }, (_, index) => index + 1);
      for (const watcher of seen) assert.deepEqual(watcher, expected);
    } finally {
      await fixture.remove();
    }
  });
});
