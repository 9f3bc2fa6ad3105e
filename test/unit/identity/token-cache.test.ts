import assert from 'node:assert/strict';
import type { Clock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import { Secret } from '#core/secret.ts';
import { type AccessToken, createTokenCache } from '#identity/token-cache.ts';
import { failure } from '../../support/plumbline-failure.ts';

const HOUR = 3_600_000;

function stopped(): Clock & { at: number } {
  return {
    at: 0,
    now() {
      return this.at;
    },
    sleep: async () => undefined,
  };
}

describe('createTokenCache', () => {
  const clock = stopped();
  let fetched: string[];
  let answer: () => Promise<AccessToken>;
  const make = () =>
    createTokenCache((scope) => {
      fetched.push(scope);
      return answer();
    }, clock);

  beforeEach(() => {
    clock.at = 0;
    fetched = [];
    answer = async () => ({ token: new Secret('t'), expiresAt: clock.at + HOUR });
  });

  it('hands out no token with less than five minutes to live in runs of a day', async () => {
    const cache = make();
    for (; clock.at < 24 * HOUR; clock.at += 61_000) {
      const { expiresAt } = await cache.token('a');
      assert.ok(expiresAt - clock.at >= 300_000);
    }
    assert.ok(fetched.length <= 27, `${fetched.length} requests in a day`);
  });

  it('renews a token of short life at half of it', async () => {
    answer = async () => ({ token: new Secret('t'), expiresAt: clock.at + 60_000 });
    const cache = make();
    await cache.token('a');
    clock.at = 29_000;
    await cache.token('a');
    assert.equal(fetched.length, 1);
    clock.at = 30_000;
    await cache.token('a');
    assert.equal(fetched.length, 2);
  });

  it('keeps a token for each scope and shares one request among callers', async () => {
    const cache = make();
    await Promise.all([cache.token('a'), cache.token('a'), cache.token('b')]);
    assert.deepEqual(fetched, ['a', 'b']);
  });

  it('lets one caller leave without disturbing the others', async () => {
    const cache = make();
    const controller = new AbortController();
    const leaving = cache.token('a', controller.signal);
    const staying = cache.token('a');
    controller.abort(new Error('cancelled'));
    await assert.rejects(leaving, /cancelled/);
    assert.ok(await staying);
    assert.equal(fetched.length, 1);
  });

  it('uses the last token while it lives when a renewal fails for a passing reason, and no longer', async () => {
    const cache = make();
    await cache.token('a');
    answer = async () => {
      throw new PlumblineError('ERR_HTTP_TIMEOUT', 'no answer');
    };
    clock.at = HOUR - 60_000;
    assert.equal((await cache.token('a')).expiresAt, HOUR);
    clock.at = HOUR;
    await assert.rejects(cache.token('a'), failure('ERR_HTTP_TIMEOUT', /no answer/));
  });

  it('gives up the last token at once when the identity is refused', async () => {
    const cache = make();
    await cache.token('a');
    clock.at = HOUR - 60_000;
    answer = async () => {
      throw new PlumblineError('ERR_IDENTITY_REJECTED', 'taken away');
    };
    await assert.rejects(cache.token('a'), failure('ERR_IDENTITY_REJECTED', /taken away/));
    answer = async () => {
      throw new PlumblineError('ERR_HTTP_TIMEOUT', 'no answer');
    };
    await assert.rejects(cache.token('a'), failure('ERR_HTTP_TIMEOUT', /no answer/), 'nothing is left to fall back to');
  });

  it('asks again after a failure', async () => {
    const cache = make();
    const good = answer;
    answer = async () => {
      throw new PlumblineError('ERR_HTTP_TIMEOUT', 'no answer');
    };
    await assert.rejects(cache.token('a'));
    answer = good;
    assert.ok(await cache.token('a'));
  });
});
