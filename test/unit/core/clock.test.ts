import assert from 'node:assert/strict';
import { systemClock } from '#core/clock.ts';

describe("the system's clock", () => {
  it('sleeps for longer than a timer of Node takes, which fires at once', async () => {
    const leave = new AbortController();
    let isAwake = false;
    const sleeping = systemClock.sleep(30 * 86_400_000, leave.signal).then(() => {
      isAwake = true;
    });
    await systemClock.sleep(50);
    assert.equal(isAwake, false);
    leave.abort(new Error('left'));
    await assert.rejects(sleeping, /left/);
  });
});
