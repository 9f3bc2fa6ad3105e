import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { JsonValue } from '#core/json.ts';
import { Problem } from '#gateway/app/problem.ts';
import type { LuigidCall } from '#gateway/luigid/luigid-call.ts';
import { LUIGID_METHODS } from '#gateway/luigid/luigid-methods.ts';
import { LuigidReaders } from '#gateway/luigid/luigid-readers.ts';

function search(text: string): LuigidCall {
  const method = LUIGID_METHODS.get('task_search');
  assert.ok(method);
  return { method, arguments: { task_str: text } };
}

/** A luigid that is held up, and a time that the test makes. */
class SlowLuigid {
  time = 0;
  asked: string[] = [];
  atOnce = 0;
  mostAtOnce = 0;
  cost = 1;
  bytes = 10;
  failure: Problem | undefined;

  async read({ arguments: { task_str } }: LuigidCall): Promise<{ answer: JsonValue; bytes: number }> {
    this.asked.push(String(task_str));
    this.atOnce += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.atOnce);
    await sleep(1);
    this.time += this.cost;
    this.atOnce -= 1;
    if (this.failure) throw this.failure;
    return { answer: { asked: this.asked.length }, bytes: this.bytes };
  }
}

describe('the readers of a luigid', () => {
  let luigid: SlowLuigid;
  let readers: LuigidReaders;
  beforeEach(() => {
    luigid = new SlowLuigid();
    readers = new LuigidReaders({ upstream: luigid, now: () => luigid.time });
  });
  afterEach(() => readers.close());

  it('ask once for a thousand, and one thing at a time', async () => {
    const readings = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) => readers.read(search(`s${i % 5}`), `p${i}`)),
    );
    assert.equal(luigid.asked.length, 5);
    assert.equal(luigid.mostAtOnce, 1);
    assert.equal(new Set(readings).size, 5);
  });

  it('show for a second what they read, and then read anew', async () => {
    const first = await readers.read(search('a'), 'p');
    luigid.time += 500;
    assert.equal(await readers.read(search('a'), 'p'), first);
    luigid.time += 600;
    assert.notEqual(await readers.read(search('a'), 'p'), first);
    assert.equal(luigid.asked.length, 2);
  });

  it('show no more what was read before a change', async () => {
    const first = await readers.read(search('a'), 'p');
    readers.expire();
    assert.notEqual(await readers.read(search('a'), 'p'), first);
  });

  it('take no more of luigid’s time than their share, and show what they have meanwhile', async function () {
    this.timeout(10_000);
    luigid.cost = 2_000;
    const first = await readers.read(search('a'), 'p');
    await readers.read(search('b'), 'p');
    // Four seconds of luigid were used; three are given at once.
    luigid.time += 1_500;
    const shown = await readers.read(search('a'), 'p');
    assert.equal(shown, first);
    assert.deepEqual(luigid.asked, ['a', 'b']);
    assert.ok(readers.ageOf(shown) >= 1.5);
  });

  it('show nothing that is older than two minutes', async () => {
    const first = await readers.read(search('a'), 'p');
    luigid.time += 121_000;
    assert.notEqual(await readers.read(search('a'), 'p'), first);
  });

  it('tell everybody who waits that luigid is away, and ask again afterwards', async () => {
    luigid.failure = new Problem('luigid-unavailable', 'away');
    const all = await Promise.allSettled([readers.read(search('a'), 'p'), readers.read(search('a'), 'q')]);
    assert.deepEqual(
      all.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    luigid.failure = undefined;
    assert.deepEqual((await readers.read(search('a'), 'p')).answer, { asked: 2 });
  });

  it('let nobody fill the line', async () => {
    const many = Array.from({ length: 30 }, (_, i) => readers.read(search(`m${i}`), 'mallory'));
    const other = readers.read(search('x'), 'alice');
    const settled = await Promise.allSettled(many);
    assert.equal(settled.filter(({ status }) => status === 'fulfilled').length, 20);
    for (const one of settled) if (one.status === 'rejected') assert.equal((one.reason as Problem).code, 'overloaded');
    assert.ok((await other).answer);
  });

  it('leave something for others, however long takes what somebody reads again and again', async function () {
    this.timeout(10_000);
    luigid.cost = 2_000;
    const many = Array.from({ length: 20 }, (_, i) => readers.read(search(`m${i}`), 'mallory').catch(() => undefined));
    await many[0];
    await readers.read(search('x'), 'alice');
    assert.ok(luigid.asked.length <= 3, luigid.asked.join());
    luigid.time += 30_000;
    await readers.read(search('y'), 'bob');
    assert.deepEqual(luigid.asked.slice(-1), ['y']);
    readers.close();
    await Promise.all(many);
  });

  it('keep a bounded part of what they read', async () => {
    luigid.bytes = 20 * 1_048_576;
    for (let i = 0; i < 6; i++) await readers.read(search(`s${i}`), 'p');
    luigid.asked = [];
    for (let i = 5; i >= 0; i--) await readers.read(search(`s${i}`), 'p');
    assert.ok(luigid.asked.length >= 3, 'the oldest are forgotten');
    assert.ok(!luigid.asked.includes('s5'), 'the newest is not');
  });
});
