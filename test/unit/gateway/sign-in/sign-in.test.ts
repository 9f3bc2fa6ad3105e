import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseSetCookie } from 'cookie';
import { PlumblineError } from '#core/errors.ts';
import { Problem } from '#gateway/app/problem.ts';
import type { SignInRequest } from '#gateway/sign-in/sign-in.ts';
import type { Page } from '#gateway/sign-in/sign-in-pages.ts';
import { PeopleProvider } from '../../../support/people-provider.ts';
import { cookiesOf, FROM_PROVIDER, logIn, PUBLIC_URL, REDIRECT_URI, SignInWorld } from './sign-in-world.ts';

const OWN_FORM = { 'sec-fetch-site': 'same-origin' };
const PEOPLE = {
  robin: { team: 'data', preferred_username: 'robin@contoso.example', picture: 'https://tracker.example/p.png' },
  mallory: { team: 'other', name: '<img src=x onerror=alert(1)>' },
};

describe('signing in, with a real provider', function () {
  this.timeout(30_000);
  let provider: PeopleProvider;
  let world: SignInWorld;
  before(async () => {
    provider = await PeopleProvider.start({ redirectUri: REDIRECT_URI, people: PEOPLE });
  });
  after(() => provider.close());
  beforeEach(() => {
    world = new SignInWorld(provider.url);
  });

  const visitor = (cookie: string) => world.opened.visitors.visitorOf(cookie);

  it('asks by code, PKCE, state and nonce, and keeps nothing of it', async () => {
    const page = await world.begin();
    assert.equal(page.status, 303);
    const { origin, searchParams } = new URL(String(page.headers['location']));
    assert.equal(origin, provider.url);
    const asked = Object.fromEntries(searchParams);
    for (const name of ['state', 'nonce', 'code_challenge']) assert.match(asked[name] ?? '', /^[\w-]{43}$/);
    assert.equal(new Set([asked['state'], asked['nonce'], asked['code_challenge']]).size, 3);
    const { state: _, nonce: __, code_challenge: ___, ...rest } = asked;
    assert.deepEqual(rest, {
      client_id: 'plumbline',
      code_challenge_method: 'S256',
      redirect_uri: REDIRECT_URI,
      response_mode: 'query',
      response_type: 'code',
      scope: 'openid profile',
    });
    const [line = ''] = page.headers['set-cookie'] ?? [];
    const { name, value = '', maxAge, ...attributes } = parseSetCookie(line);
    assert.match(name, /^__Host-plumbline-flow-[\w-]{8}$/);
    assert.deepEqual(
      { ...attributes, maxAge },
      {
        path: '/',
        httpOnly: true,
        secure: true,
        sameSite: 'lax',
        maxAge: 600,
      },
    );
    for (const secret of [asked['nonce'], asked['state']]) assert.ok(!value.includes(secret ?? ''));
  });

  it('signs a viewer in: a session that no other site can use, and no token anywhere', async () => {
    const { page, cookie } = await world.signIn('robin');
    assert.equal(page.status, 200);
    assert.match(page.body, /http-equiv="refresh" content="0;url=\/luigid\/"/);
    const lines = [page.headers['set-cookie'] ?? []].flat().map((line) => parseSetCookie(line));
    const session = lines.find(({ name }) => name === '__Host-plumbline');
    assert.deepEqual(
      { ...session, value: undefined },
      {
        name: '__Host-plumbline',
        value: undefined,
        path: '/',
        httpOnly: true,
        secure: true,
        sameSite: 'strict',
        maxAge: 8 * 3_600,
      },
    );
    assert.match(session?.value ?? '', /^[\w-]{43}$/);
    assert.deepEqual(lines.filter(({ maxAge }) => maxAge === 0).length, 1, 'the cookie of the way there is removed');
    const seen = visitor(cookie);
    assert.ok(seen.kind === 'known');
    assert.deepEqual([seen.person.id, seen.person.name], [`${provider.url} robin`, 'robin@contoso.example']);
    assert.equal(seen.permission.rules[0], 'people');
    const [record] = world.records;
    assert.equal(record?.type, 'dev.plumbline.person.signed-in');
    assert.deepEqual(record?.data, {
      address: '192.0.2.7',
      requestId: 'request-1',
      caller: { issuer: 'sign-in', iss: provider.url, subject: 'robin' },
      policy: 'a'.repeat(64),
      expiresAt: seen.person.expiresAt,
    });
    const everything = JSON.stringify([page, seen, world.records, world.logged]);
    assert.doesNotMatch(everything, /eyJ|access_token|id_token|at_hash|nonce/);
  });

  it('a session is over after its life, after an hour without a request, and by signing out', async () => {
    const first = (await world.signIn('robin')).cookie;
    world.clock.move(3_599_000);
    assert.equal(visitor(first).kind, 'known');
    world.clock.move(3_599_000);
    assert.equal(visitor(first).kind, 'known');
    world.clock.move(3_600_000);
    assert.equal(visitor(first).kind, 'nobody');

    const second = (await new SignInWorld(provider.url).signIn('robin')).cookie;
    assert.equal(visitor(second).kind, 'nobody', 'a session of another process');

    world = new SignInWorld(provider.url);
    const third = (await world.signIn('robin')).cookie;
    for (let minutes = 0; minutes < 8 * 60; minutes += 30) {
      assert.equal(visitor(third).kind, 'known', `after ${minutes} minutes`);
      world.clock.move(30 * 60_000);
    }
    assert.equal(visitor(third).kind, 'nobody', 'used all the time, and over all the same');

    world = new SignInWorld(provider.url);
    const last = (await world.signIn('robin')).cookie;
    const page = await world.opened.signIn.signOut(
      world.request({ method: 'POST', headers: { cookie: last, ...OWN_FORM } }),
    );
    assert.deepEqual([page.status, visitor(last).kind], [200, 'nobody']);
    assert.match(
      String(page.headers['set-cookie']),
      /^__Host-plumbline=; Max-Age=0; Path=\/; HttpOnly; Secure; SameSite=Strict$/,
    );
    assert.deepEqual(
      world.records.map(({ type }) => type.replace('dev.plumbline.', '')),
      ['person.signed-in', 'person.signed-out'],
    );
  });

  it('gives a new session each time, of which a person has ten at most', async () => {
    const cookies: string[] = [];
    for (let i = 0; i < 12; i++) cookies.push((await world.signIn('robin')).cookie);
    assert.equal(new Set(cookies).size, 12);
    const kinds = cookies.map((cookie) => visitor(cookie).kind);
    assert.deepEqual(kinds, [...Array(2).fill('nobody'), ...Array(10).fill('known')]);
  });

  it('never takes an id that a browser brings', async () => {
    const planted = `__Host-plumbline=${'A'.repeat(43)}`;
    const begun = await world.begin({ cookie: planted });
    const query = await logIn(String(begun.headers['location']), 'robin');
    const page = await world.finish(query, `${planted}; ${cookiesOf(begun)}`);
    assert.ok(!cookiesOf(page).includes('A'.repeat(43)));
    assert.equal(visitor(planted).kind, 'nobody');
  });

  it('asks the policy for each request', async () => {
    const { cookie } = await world.signIn('robin');
    world.team = 'somebody else';
    assert.equal(visitor(cookie).kind, 'unknown');
    world.team = 'data';
    assert.equal(visitor(cookie).kind, 'known');
  });

  it('tells somebody whom no viewer knows what to ask for, and nothing of them', async () => {
    const { page, cookie } = await world.signIn('mallory');
    assert.deepEqual([page.status, page.problem?.code, cookie], [403, 'viewer-unknown', '']);
    assert.match(page.body, /<code>viewers<\/code>/);
    assert.doesNotMatch(page.body, /mallory|onerror|other/);
    const again = (await world.signIn('mallory')).page;
    assert.equal(again.status, 403);
    assert.deepEqual(
      world.records.map(({ type, data }) => [type, data['reason']]),
      [['dev.plumbline.person.refused', 'viewer-unknown']],
      'one record for equal ones of a minute',
    );
  });

  it('finishes only what this browser has begun, once, within ten minutes', async () => {
    const refused = async (name: string, page: Promise<Page>) => {
      const { status, problem, headers } = await page;
      assert.deepEqual([status, problem?.code, problem?.reason], [400, 'sign-in-failed', 'flow'], name);
      assert.doesNotMatch(String(headers['set-cookie'] ?? ''), /__Host-plumbline=/, name);
    };
    // Somebody lets a victim's browser finish what they have begun, to see what the victim does in their account.
    const [own, others] = [await world.begin(), await world.begin()];
    const query = await logIn(String(own.headers['location']), 'robin');
    await refused('no cookie', world.finish(query, ''));
    await refused('the cookie of another one', world.finish(query, cookiesOf(others)));
    const [name = '', value = ''] = cookiesOf(own).split(/=(.*)/s);
    const [, otherValue = ''] = cookiesOf(others).split(/=(.*)/s);
    await refused('the value of another one', world.finish(query, `${name}=${otherValue}`));
    const [id = '', until = '', mac = ''] = value.split('.');
    await refused('a later end', world.finish(query, `${name}=${id}.${Number(until) + 1}.${mac}`));
    await refused('no state', world.finish(query.replace(/state=[^&]*/, ''), cookiesOf(own)));
    await refused('another process', new SignInWorld(provider.url).finish(query, cookiesOf(own)));
    assert.equal((await world.finish(query, cookiesOf(own))).status, 200);
    await refused('a second time', world.finish(query, cookiesOf(own)));
    const late = await world.begin();
    const lateQuery = await logIn(String(late.headers['location']), 'robin');
    world.clock.move(600_000);
    await refused('too late', world.finish(lateQuery, cookiesOf(late)));
  });

  it('lets several tabs sign in side by side, and removes what was left of more', async () => {
    const [one, two] = [await world.begin(), await world.begin()];
    const jar = `${cookiesOf(one)}; ${cookiesOf(two)}`;
    for (const begun of [one, two]) {
      const query = await logIn(String(begun.headers['location']), 'robin');
      assert.equal((await world.finish(query, jar)).status, 200);
    }
    const four = [...Array(4)].map((_, i) => `__Host-plumbline-flow-${'x'.repeat(7)}${i}=y`).join('; ');
    const next = await world.begin({ cookie: four });
    const removed = [next.headers['set-cookie'] ?? []].flat().filter((line) => line.includes('Max-Age=0'));
    assert.equal(removed.length, 4);
  });

  it('leads nowhere but to the pages, whatever the request says', async () => {
    for (const query of ['?return=https://evil.example', '?redirect_uri=https://evil.example&next=//evil.example']) {
      const page = await world.opened.signIn.begin(world.request({ query }));
      const location = new URL(String(page.headers['location']));
      assert.equal(location.origin, provider.url);
      assert.equal(location.searchParams.get('redirect_uri'), REDIRECT_URI);
      assert.doesNotMatch(location.href, /evil/);
    }
    const begun = await world.begin();
    const query = await logIn(String(begun.headers['location']), 'robin');
    const page = await world.finish(`${query}&return=https://evil.example`, cookiesOf(begun));
    assert.doesNotMatch(JSON.stringify(page), /evil/);
  });

  it('begins for a person at a browser only, and for another site not before it was asked from here', async () => {
    const scripts = [
      { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' },
      { 'sec-fetch-mode': 'no-cors', 'sec-fetch-dest': 'image' },
      { 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'iframe' },
    ];
    for (const headers of scripts)
      await assert.rejects(
        world.begin(headers),
        (error) => error instanceof Problem && error.code === 'sign-in-needed',
      );
    const page = await world.begin(FROM_PROVIDER);
    assert.equal(page.status, 200);
    assert.match(page.body, /url=\/luigid\/"/);
    assert.equal(page.headers['set-cookie'], undefined);
  });

  it('says that the person went back, and records it', async () => {
    const begun = await world.begin();
    const query = await logIn(String(begun.headers['location']), undefined);
    const page = await world.finish(query, cookiesOf(begun));
    assert.deepEqual([page.status, page.problem?.reason], [400, 'provider-refused']);
    assert.match(world.logged.join(), /access_denied: The person went back/);
    assert.doesNotMatch(page.body, /went back/);
    assert.deepEqual(
      [world.records[0]?.type, world.records[0]?.data['reason']],
      ['dev.plumbline.person.refused', 'provider-refused'],
    );
  });

  it('refuses the answer of another provider (RFC 9207)', async () => {
    const begun = await world.begin();
    const query = await logIn(String(begun.headers['location']), 'robin');
    assert.match(query, /[?&]iss=/);
    const page = await world.finish(query.replace(/iss=[^&]*/, 'iss=https%3A%2F%2Fother.example'), cookiesOf(begun));
    assert.deepEqual([page.status, page.problem?.reason], [400, 'id-token']);
  });

  it('no audit record, no session', async () => {
    const begun = await world.begin();
    const query = await logIn(String(begun.headers['location']), 'robin');
    world.auditFailure = new PlumblineError('ERR_AUDIT_UNAVAILABLE', 'The audit log cannot be written');
    await assert.rejects(world.finish(query, cookiesOf(begun)), /audit log cannot be written/);
  });

  it('ends a session though the record of it cannot be written', async () => {
    const { cookie } = await world.signIn('robin');
    world.auditFailure = new PlumblineError('ERR_AUDIT_UNAVAILABLE', 'The audit log cannot be written');
    const page = await world.opened.signIn.signOut(world.request({ method: 'POST', headers: { cookie, ...OWN_FORM } }));
    assert.deepEqual([page.status, visitor(cookie).kind], [200, 'nobody']);
    assert.match(world.logged.join(), /a sign-out is not on record/);
  });

  it('another site signs nobody out', async () => {
    const { cookie } = await world.signIn('robin');
    const signOut = (headers: SignInRequest['headers']) =>
      world.opened.signIn.signOut(world.request({ method: 'POST', headers: { cookie, ...headers } }));
    const old = { 'sec-fetch-site': undefined };
    for (const headers of [
      { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
      { origin: PUBLIC_URL, 'sec-fetch-site': 'same-site' },
      { ...old, origin: 'https://evil.example' },
      { ...old, origin: 'null' },
    ])
      await assert.rejects(signOut(headers), (error) => error instanceof Problem && error.code === 'request-invalid');
    assert.equal(visitor(cookie).kind, 'known');
    // As a page without a referrer sends it.
    assert.equal((await signOut({ origin: 'null', 'sec-fetch-site': 'same-origin' })).status, 200);
    assert.equal(visitor(cookie).kind, 'nobody');
    assert.equal((await signOut({ ...old, origin: PUBLIC_URL })).status, 200);
  });

  it('works again as soon as a provider that was away is back', async () => {
    const { port } = await PeopleProvider.start({ redirectUri: REDIRECT_URI, people: PEOPLE }).then(async (gone) => {
      await gone.close();
      return gone;
    });
    world = new SignInWorld(`http://127.0.0.1:${port}`);
    const away = await world.begin();
    assert.deepEqual([away.status, away.problem?.code], [503, 'issuer-unavailable']);
    assert.equal(away.headers['retry-after'], '10');
    assert.match(world.logged.join(), /provider-unavailable/);
    assert.deepEqual(world.records, [], 'nobody was refused');
    const back = await PeopleProvider.start({ redirectUri: REDIRECT_URI, people: PEOPLE, port });
    try {
      const { page } = await world.signIn('robin');
      assert.equal(page.status, 200);
      const begun = await world.begin();
      const query = await logIn(String(begun.headers['location']), 'robin');
      await back.close();
      const page2 = await world.finish(query, cookiesOf(begun));
      assert.deepEqual([page2.status, page2.problem?.code], [503, 'issuer-unavailable']);
    } finally {
      await back.close().catch(() => undefined);
    }
  });

  describe('as a client with a secret', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sign-in-'));
    const file = join(folder, 'client-secret');
    let confidential: PeopleProvider;
    before(async () => {
      writeFileSync(file, 'a-s3cret+of&the=client\n', { mode: 0o600 });
      const secret = 'a-s3cret+of&the=client';
      confidential = await PeopleProvider.start({ redirectUri: REDIRECT_URI, people: PEOPLE, secret });
    });
    after(async () => {
      await confidential.close();
      rmSync(folder, { recursive: true });
    });

    it('shows it to the provider, and takes a renewed one without a restart', async () => {
      world = new SignInWorld(confidential.url, { config: { clientSecretFile: file } });
      assert.equal((await world.signIn('robin')).page.status, 200);
      writeFileSync(file, 'another\n');
      const { page } = await world.signIn('robin');
      assert.deepEqual([page.status, page.problem?.reason], [400, 'client-refused']);
      assert.match(world.logged.join(), /invalid_client/);
      writeFileSync(file, 'a-s3cret+of&the=client\n');
      assert.equal((await world.signIn('robin')).page.status, 200);
      assert.doesNotMatch(JSON.stringify([world.logged, world.records]), /s3cret/);
    });

    it('others may not read it, and it is a line', () => {
      const open = () => new SignInWorld(confidential.url, { config: { clientSecretFile: file } });
      for (const break_ of [
        () => chmodSync(file, 0o640),
        () => writeFileSync(file, 'two lines\nof it'),
        () => rmSync(file),
      ]) {
        break_();
        assert.throws(open, (error) => {
          assert.ok(error instanceof PlumblineError);
          assert.equal(error.code, 'ERR_CONFIG_INVALID');
          assert.doesNotMatch(error.message, /s3cret|two lines/);
          return true;
        });
        writeFileSync(file, 'x');
        chmodSync(file, 0o600);
      }
    });
  });

  it('leads to the address of which the provider knows, once', async () => {
    const elsewhere = await world.begin({ host: 'etl-7.corp.example' });
    assert.equal(elsewhere.status, 303);
    const location = new URL(String(elsewhere.headers['location']));
    assert.equal(`${location.origin}${location.pathname}`, `${PUBLIC_URL}/luigid/sign-in`);
    assert.equal(elsewhere.headers['set-cookie']?.length, 0);
    // Behind a proxy that says another host than the browser.
    const headers = { host: '10.0.0.7:8443' };
    const page = await world.opened.signIn.begin(world.request({ query: location.search, headers }));
    assert.equal(new URL(String(page.headers['location'])).origin, provider.url);
  });

  it('on loopback without a public URL has cookies of its port, which all ports there share', async () => {
    world = new SignInWorld(provider.url, { publicUrl: undefined });
    world.opened.listensAt('http://127.0.0.1:8443');
    const page = await world.begin({ host: '127.0.0.1:8443' });
    const [line = ''] = page.headers['set-cookie'] ?? [];
    const { name, path, secure } = parseSetCookie(line);
    assert.match(name, /^plumbline-8443-flow-/);
    assert.deepEqual([path, secure], ['/luigid', undefined]);
    const { searchParams } = new URL(String(page.headers['location']));
    assert.equal(searchParams.get('redirect_uri'), 'http://127.0.0.1:8443/luigid/sign-in/callback');
  });
});
