import assert from 'node:assert/strict';
import fc from 'fast-check';
import { MemorySessions } from '#gateway/sign-in/memory-sessions.ts';
import type { Person } from '#gateway/sign-in/person-sessions.ts';
import { signInAddress } from '#gateway/sign-in/sign-in-address.ts';
import { cookieOf } from '#gateway/sign-in/sign-in-cookies.ts';
import { FLOW_LIFE_MS, SignInFlows } from '#gateway/sign-in/sign-in-flows.ts';
import { isSignInPath } from '#gateway/sign-in/sign-in-paths.ts';
import { handClock } from '../../../support/hand-clock.ts';
import { cookiesOf, PUBLIC_URL, SignInWorld } from './sign-in-world.ts';

const NAME = '__Host-plumbline';
const clock = handClock(1_800_000_000_000);

function person(id: string): Person {
  const expiresAt = clock.now() + 28_800_000;
  return { id, name: id, iss: 'https://a.example', subject: id, claims: {}, signedInAt: clock.now(), expiresAt };
}

/** Pieces of what is good, put together in every way. */
const pieces = (good: readonly string[]) =>
  fc
    .array(fc.oneof(fc.constantFrom(...good, '; ', '=', '"', ',', '%', '\0', '.'), fc.string({ maxLength: 8 })), {
      maxLength: 12,
    })
    .map((parts) => parts.join(''));

describe('cookies and answers that nobody made', () => {
  const sessions = new MemorySessions({ clock, cookie: () => NAME });
  const id = sessions.open(person('robin'));
  const flows = new SignInFlows(clock);

  it('name nobody, unless the whole id is there', () => {
    fc.assert(
      fc.property(pieces([NAME, id, id.slice(1), id.toLowerCase(), `${NAME}=${id.slice(0, 42)}`]), (header) => {
        const isGood = cookieOf(header, NAME) === id;
        assert.equal(sessions.personOf(header)?.id, isGood ? 'robin' : undefined);
      }),
      { numRuns: 2_000 },
    );
    assert.equal(sessions.personOf(`a=b; ${NAME}=${id}`)?.id, 'robin');
  });

  it('finish nothing', () => {
    const { state, cookie } = flows.begin();
    const parts = [...cookie.value.split('.'), state, cookie.value, String(clock.now() + FLOW_LIFE_MS * 2)];
    fc.assert(
      fc.property(fc.oneof(fc.constant(state), pieces(parts)), pieces(parts), (back, value) => {
        fc.pre(back !== state || value !== cookie.value);
        assert.equal(
          flows.take(back, () => value),
          undefined,
        );
      }),
      { numRuns: 2_000 },
    );
    assert.ok(flows.take(state, (name) => (name === cookie.name ? cookie.value : undefined)));
  });

  it('are refused by a page, whatever the provider or somebody else sends back', async () => {
    const world = new SignInWorld('http://127.0.0.1:9');
    await fc.assert(
      fc.asyncProperty(
        pieces(['?', '&', 'code=x', 'state=', 'iss=', 'error=access_denied', '%zz', '#']),
        async (query) => {
          const page = await world.finish(`?${query}`, '');
          assert.deepEqual([page.status, page.problem?.reason], [400, 'flow']);
          assert.equal(cookiesOf(page), '');
        },
      ),
      { numRuns: 300 },
    );
    const kinds = new Set(world.records.map(({ data }) => data['reason']));
    assert.deepEqual([world.records.length, [...kinds]], [1, ['flow']], 'one record for equal ones of a minute');
  });

  it('are bounded: sessions of all people, records of refusals', async () => {
    const many = new MemorySessions({ clock, cookie: () => NAME });
    const ids = Array.from({ length: 5_001 }, (_, i) => many.open(person(`p${i}`)));
    const [oldest = '', next = ''] = ids;
    assert.equal(many.personOf(`${NAME}=${oldest}`), undefined);
    assert.equal(many.personOf(`${NAME}=${next}`)?.id, 'p1');
    const world = new SignInWorld('http://127.0.0.1:9');
    for (let i = 0; i < 300; i++) await world.finish('', '', { address: `2001:db8::${i.toString(16)}` });
    assert.equal(world.records.length, 100);
    world.clock.move(60_000);
    await world.finish('', '');
    assert.equal(world.records.length, 101);
  });
});

describe('where signing in lies', () => {
  it('follows the public address, below a path too', () => {
    const { redirectUri, pages, signIn, signOut, cookies } = signInAddress(`${PUBLIC_URL}/etl`);
    assert.deepEqual(
      [redirectUri, pages, signIn, signOut],
      [`${PUBLIC_URL}/etl/luigid/sign-in/callback`, '/etl/luigid/', '/etl/luigid/sign-in', '/etl/luigid/sign-out'],
    );
    // A `__Host-` cookie has no other path.
    assert.deepEqual(cookies, { session: NAME, flow: `${NAME}-flow-`, path: '/', secure: true });
    assert.deepEqual(signInAddress('http://127.0.0.1').cookies.session, 'plumbline-80');
    assert.equal(signInAddress('http://[::1]:8443').redirectUri, 'http://[::1]:8443/luigid/sign-in/callback');
  });

  it('is at three paths and no other', () => {
    for (const path of [
      '/luigid/sign-in',
      '/luigid/sign-in?a=b',
      '/luigid/sign-in/callback?code=a',
      '/luigid/sign-out',
    ])
      assert.ok(isSignInPath(path), path);
    for (const path of [
      '/luigid/sign-in/',
      '/luigid/sign-inn',
      '/luigid/Sign-in',
      '/luigid//sign-in',
      '/luigid/',
      '?',
      '',
    ])
      assert.ok(!isSignInPath(path), path);
  });
});
