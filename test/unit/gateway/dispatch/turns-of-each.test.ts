import assert from 'node:assert/strict';
import { turnsOfEach } from '#gateway/dispatch/turns-of-each.ts';

describe('turns', () => {
  const pause = () => new Promise<void>((resolve) => setImmediate(resolve));

  it('are so many at the same time at each place, and as many again when they are over', async () => {
    const inTurn = turnsOfEach(3);
    const going = new Map<string, number>();
    const most = new Map<string, number>();
    const work = (place: string) =>
      inTurn(place, 'a', async () => {
        going.set(place, (going.get(place) ?? 0) + 1);
        most.set(place, Math.max(most.get(place) ?? 0, going.get(place) ?? 0));
        await pause();
        going.set(place, (going.get(place) ?? 0) - 1);
        if (place === 'y') throw new Error('it fails');
      });
    for (let round = 0; round < 2; round++) {
      const all = [...Array(10)].flatMap(() => [work('x'), work('y')]);
      await Promise.allSettled(all);
    }
    assert.deepEqual(Object.fromEntries(most), { x: 3, y: 3 });
  });

  it('are taken by turns: whoever has little to do does not wait for whoever has much', async () => {
    const inTurn = turnsOfEach(2);
    const done: string[] = [];
    const work = (who: string) =>
      inTurn('x', who, async () => {
        await pause();
        done.push(who);
      });
    await Promise.all([...Array.from({ length: 50 }, () => work('much')), work('little'), work('little')]);
    assert.equal(done.length, 52);
    assert.ok(done.lastIndexOf('little') < 8, done.join(' '));
  });
});
