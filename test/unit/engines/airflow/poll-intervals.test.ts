import assert from 'node:assert/strict';
import fc from 'fast-check';
import { backOff, pollInterval, taskReadGap, waitLength } from '#engines/airflow/poll-intervals.ts';

/** With what Airflow takes to begin and to end a run. */
const TEN_MINUTES = 605_000;
/** Whether there is a run before the trigger, and the reading at both ends. */
const LOOKS_BESIDE_WAITS = 3;
const random = fc.double({ min: 0, max: 1, noNaN: true });

/** How many fit into ten minutes, each by its own chance. */
function requestsIn(next: (age: number, chance: number) => number, chances: readonly number[]): number {
  let count = 0;
  for (let age = 0; age < TEN_MINUTES; count += 1) age += next(age, chances[count % chances.length] as number);
  return count;
}

describe('intervals of polling', () => {
  it('are between half a second, less its jitter, and ten seconds', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e12, noNaN: true }), random, (age, chance) => {
        const interval = pollInterval(age, chance);
        assert.ok(interval >= 490 && interval <= 10_000, `${interval}`);
      }),
    );
  });

  it('never shrink as the run grows older', () => {
    fc.assert(
      fc.property(fc.nat(1e9), fc.nat(1e9), random, (age, more, chance) => {
        assert.ok(pollInterval(age + more, chance) >= pollInterval(age, chance));
      }),
    );
  });

  it('keep to 75 requests in ten minutes, with the first reading of the run, whatever the jitter', () => {
    fc.assert(
      fc.property(fc.array(random, { minLength: 1, maxLength: 80 }), (chances) => {
        assert.ok(requestsIn(pollInterval, chances) + 1 <= 75);
      }),
    );
  });

  it('are spread by chance', () => {
    assert.notEqual(pollInterval(60_000, 0), pollInterval(60_000, 1));
  });
});

describe('waits', () => {
  it('are renewed every 20 to 30 seconds, and keep to 24 requests in ten minutes with the looks beside them', () => {
    fc.assert(
      fc.property(fc.array(random, { minLength: 1, maxLength: 30 }), (chances) => {
        for (const chance of chances) assert.ok(waitLength(chance) >= 20_000 && waitLength(chance) <= 30_000);
        assert.ok(requestsIn((_, chance) => waitLength(chance), chances) + LOOKS_BESIDE_WAITS <= 24);
      }),
    );
  });
});

describe('reads of task instances', () => {
  it('come after a second, and then at gaps that double up to two minutes', () => {
    const gaps = Array.from({ length: 10 }, (_, reads) => taskReadGap(reads) / 1_000);
    assert.deepEqual(gaps, [1, 2, 4, 8, 16, 32, 64, 120, 120, 120]);
    assert.equal(taskReadGap(1e6), 120_000);
  });
});

describe('the wait for a server that does not answer', () => {
  it('doubles up to ten seconds, spread over its upper half', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), random, (failures, chance) => {
        const longest = Math.min(250 * 2 ** Math.min(failures - 1, 20), 10_000);
        const wait = backOff(failures, undefined, chance);
        assert.ok(wait >= longest / 2 && wait <= longest, `${wait}`);
      }),
    );
  });

  it('is no shorter than the server asks for, up to a minute', () => {
    assert.equal(backOff(1, 30_000, 0.5), 30_000);
    assert.equal(backOff(1, 86_400_000, 0.5), 60_000);
    assert.equal(backOff(20, 1, 1), 10_000);
  });
});
