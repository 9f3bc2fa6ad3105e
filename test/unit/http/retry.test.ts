import assert from 'node:assert/strict';
import fc from 'fast-check';
import { type RetryQuestion, retryAfterMs, retryDelay, shouldRetry } from '#http/retry.ts';

const NOW = Date.UTC(2026, 10, 21, 10, 0, 0);

function question(change: Partial<RetryQuestion>): RetryQuestion {
  return { idempotent: true, attempt: 1, maxAttempts: 4, outcome: { status: 503 }, now: NOW, ...change };
}

describe('shouldRetry', () => {
  it('sends again after answers that say nothing about the request', () => {
    for (const status of [408, 429, 500, 502, 503, 504]) assert.ok(shouldRetry(question({ outcome: { status } })));
    for (const status of [200, 301, 400, 401, 403, 404, 409, 501])
      assert.ok(!shouldRetry(question({ outcome: { status } })));
  });

  it('never sends twice what is not idempotent', () => {
    assert.ok(!shouldRetry(question({ idempotent: false })));
    assert.ok(!shouldRetry(question({ idempotent: false, outcome: { transient: true } })));
  });

  it('stops at the last attempt', () => {
    assert.ok(shouldRetry(question({ attempt: 3 })));
    assert.ok(!shouldRetry(question({ attempt: 4 })));
  });

  it('does not try again what cannot pass by itself', () => {
    assert.ok(!shouldRetry(question({ outcome: { transient: false } })));
  });

  it('gives the answer at once when the server asks for more patience than a step has', () => {
    assert.ok(shouldRetry(question({ outcome: { status: 429, retryAfter: '120' } })));
    assert.ok(!shouldRetry(question({ outcome: { status: 429, retryAfter: '121' } })));
  });
});

describe('retryDelay', () => {
  it('follows Retry-After exactly, in seconds or as a date', () => {
    assert.equal(retryDelay(question({ outcome: { status: 429, retryAfter: '7' } }), 0.9), 7_000);
    const retryAfter = new Date(NOW + 4_000).toUTCString();
    assert.equal(retryDelay(question({ outcome: { status: 503, retryAfter } }), 0.9), 4_000);
  });

  it('doubles from half a second to eight and stays within its bounds', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
        const delay = retryDelay(question({ attempt }), random);
        assert.ok(delay >= 250 && delay <= 8_000, String(delay));
      }),
    );
    assert.deepEqual(
      [1, 2, 3, 4, 5, 6].map((attempt) => retryDelay(question({ attempt }), 1)),
      [500, 1_000, 2_000, 4_000, 8_000, 8_000],
    );
  });
});

describe('retryAfterMs', () => {
  it('is nothing for what cannot be read and never negative', () => {
    assert.equal(retryAfterMs('soon', NOW), undefined);
    assert.equal(retryAfterMs(undefined, NOW), undefined);
    assert.equal(retryAfterMs(new Date(NOW - 5_000).toUTCString(), NOW), 0);
  });
});
