import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

const LONGEST_MS = 10_000;

/** Waits until it is so, and fails with what it was last when that does not come. */
export async function eventually(
  isSo: () => boolean | Promise<boolean>,
  what: string,
  longestMs = LONGEST_MS,
): Promise<void> {
  const end = Date.now() + longestMs;
  while (!(await isSo())) {
    assert.ok(Date.now() < end, `it did not come: ${what}`);
    await sleep(2);
  }
}
