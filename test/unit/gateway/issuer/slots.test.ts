import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Slots } from '#gateway/issuer/slots.ts';

interface Job {
  readonly ticks: number;
  readonly fails: boolean;
  readonly givesUp: boolean;
}

/** Runs all jobs, and tells in which order they began and how each ended. */
async function ran(most: number, jobs: readonly Job[]) {
  const slots = new Slots(most);
  const began: number[] = [];
  let running = 0;
  const ends = jobs.map(async ({ ticks, fails, givesUp }, i) => {
    const signal = new AbortController();
    const end = slots.run(async () => {
      began.push(i);
      running += 1;
      assert.ok(running <= most);
      for (let tick = 0; tick < ticks; tick++) await null;
      running -= 1;
      if (fails) throw new Error('it failed');
      return 'done';
    }, signal.signal);
    if (givesUp) signal.abort(new Error('too late'));
    return end.catch(({ message }: Error) => message);
  });
  return { began, said: await Promise.all(ends), slots };
}

function assertEnd({ fails, givesUp }: Job, began: boolean, said: string | undefined): void {
  if (began) assert.equal(said, fails ? 'it failed' : 'done');
  else assert.deepEqual([givesUp, said], [true, 'too late']);
}

describe('slots', () => {
  const job = fc.record({ ticks: fc.nat(4), fails: fc.boolean(), givesUp: fc.boolean() });
  it('let so many run at a time, in the order they came, whatever fails or gives up', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(job, { maxLength: 20 }), async (most, jobs) => {
        const { began, said, slots } = await ran(most, jobs);
        assert.deepEqual(
          began,
          began.toSorted((a, b) => a - b),
        );
        jobs.forEach((one, i) => void assertEnd(one, began.includes(i), said[i]));
        assert.equal(await slots.run(async () => 'free again', new AbortController().signal), 'free again');
      }),
    );
  });
});
