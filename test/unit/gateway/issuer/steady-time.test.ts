import assert from 'node:assert/strict';
import { setTimeout as pause } from 'node:timers/promises';
import fc from 'fast-check';
import { isOutdated, machineTime, steadyTime, type TimeMark } from '#gateway/issuer/steady-time.ts';

const mark: TimeMark = { at: 1_000_000, clock: 5_000_000, boot: 'a', ms: 100_000 };
const clock = fc.integer({ min: -(10 ** 12), max: 10 ** 13 });
const elapsed = fc.nat(10 ** 10);

describe('the time by which keys age', () => {
  it('is that of the clock until something was taken down', () => {
    assert.equal(steadyTime(undefined, 42, machineTime()), 42);
  });

  it('goes on with the machine, whatever the clock says', () => {
    fc.assert(
      fc.property(clock, elapsed, (said, ms) => {
        assert.equal(steadyTime(mark, said, { boot: 'a', ms: mark.ms + ms }), mark.at + ms);
      }),
    );
  });

  it('never goes back, also when the machine was started since', () => {
    fc.assert(
      fc.property(clock, elapsed, fc.constantFrom('a', 'b'), (said, ms, boot) => {
        assert.ok(steadyTime(mark, said, { boot, ms }) >= mark.at);
      }),
    );
  });

  it('has what passed while the machine was off from the clock', () => {
    assert.equal(steadyTime(mark, mark.clock + 7_000, { boot: 'b', ms: 10 }), mark.at + 7_000);
    assert.equal(steadyTime(mark, mark.clock - 7_000, { boot: 'b', ms: 10 }), mark.at);
    assert.equal(
      steadyTime(mark, mark.clock + 7_000, { boot: 'a', ms: 10 }),
      mark.at + 7_000,
      'a name that came again',
    );
  });

  it('is taken down anew when the clock was set or the machine started', () => {
    const later = (ms: number, set: number, boot = 'a') =>
      isOutdated(mark, { at: mark.at + ms, clock: mark.clock + ms + set, boot, ms: mark.ms + ms });
    assert.deepEqual([later(9_000_000, 0), later(9_000_000, 59_000), later(0, -59_000)], [false, false, false]);
    assert.deepEqual([later(0, 61_000), later(9_000_000, -61_000), later(1, 0, 'b')], [true, true, true]);
  });

  it('is told by this machine, whose time only goes on', async () => {
    const before = machineTime();
    await pause(1_100);
    const after = machineTime();
    assert.equal(after.boot, before.boot);
    assert.ok(after.ms > before.ms);
  });
});
