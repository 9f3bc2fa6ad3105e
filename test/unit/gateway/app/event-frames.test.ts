import assert from 'node:assert/strict';
import { EventFrames } from '#gateway/app/event-frames.ts';

describe('EventFrames', () => {
  it('keeps no more of pages that a run will never have than of others', async () => {
    const read: number[] = [];
    const frames = new EventFrames(async (_run, after) => {
      read.push(after);
      return [];
    });
    await frames.after('run', 0, 1);
    await frames.after('run', 0, 1);
    assert.deepEqual(read, [0]);
    for (let page = 1; page <= 20_000; page += 1) await frames.after('run', page * 128, 1);
    read.length = 0;
    await frames.after('run', 0, 1);
    assert.deepEqual(read, [0], 'the oldest page had to go');
  });
});
