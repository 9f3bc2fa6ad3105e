import assert from 'node:assert/strict';
import { PlumblineError } from '#core/errors.ts';
import { PeopleProvider } from '../../../support/people-provider.ts';
import { gatewayWorld, type World } from '../app/gateway-world.ts';
import { logIn, NAVIGATION, REDIRECT_URI, SignInWorld } from './sign-in-world.ts';

const PATHS = ['/luigid/sign-in', '/luigid/sign-in/callback', '/luigid/sign-out'];
const FORM = { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' };

describe('the routes of signing in', function () {
  this.timeout(30_000);
  let provider: PeopleProvider;
  let people: SignInWorld;
  let world: World;
  before(async () => {
    provider = await PeopleProvider.start({ redirectUri: REDIRECT_URI, people: { robin: { team: 'data' } } });
  });
  after(() => provider.close());
  beforeEach(async () => {
    people = new SignInWorld(provider.url);
    world = await gatewayWorld({ trustedProxies: ['127.0.0.1'] }, { signIn: people.opened.signIn });
  });
  afterEach(() => world.close());

  const get = (url: string, headers: Readonly<Record<string, string>> = {}) =>
    world.app.inject({ url, headers: { host: 'luigi.example.com', ...NAVIGATION, ...headers } });

  it('lead to the provider and back; nothing of it is in the log', async () => {
    const begun = await get('/luigid/sign-in');
    assert.equal(begun.statusCode, 303);
    const query = await logIn(String(begun.headers.location), 'robin');
    const flow = begun.cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
    const page = await get(`/luigid/sign-in/callback${query}`, { cookie: flow, 'x-forwarded-for': '192.0.2.9' });
    assert.equal(page.statusCode, 200, page.body);
    const session = page.cookies.find(({ name }) => name === '__Host-plumbline')?.value ?? '';
    assert.equal(people.opened.visitors.visitorOf(`__Host-plumbline=${session}`).kind, 'known');
    assert.equal(people.records[0]?.data['address'], '192.0.2.9');
    const out = await world.app.inject({
      method: 'POST',
      url: '/luigid/sign-out',
      headers: { ...FORM, cookie: `__Host-plumbline=${session}` },
    });
    assert.equal(out.statusCode, 200, out.body);
    assert.equal(people.opened.visitors.visitorOf(`__Host-plumbline=${session}`).kind, 'nobody');
    const { searchParams } = new URL(`${REDIRECT_URI}${query}`);
    const log = world.log.join();
    for (const secret of [searchParams.get('code'), searchParams.get('state'), session, flow.split('=')[1]]) {
      assert.ok(secret && secret.length > 20);
      assert.ok(!log.includes(secret), 'neither code nor state nor cookie');
    }
  });

  it('are pages that nothing runs in and no other site frames, and are kept nowhere', async () => {
    for (const path of PATHS) {
      const { headers, body } = await get(path);
      if (body === '') continue;
      assert.match(
        String(headers['content-security-policy']),
        /^default-src 'none'; style-src 'sha256-[\w+/=]+'; form-action 'self'; frame-ancestors 'none'/,
      );
      assert.doesNotMatch(body, /<script| on\w+=|javascript:/);
      assert.deepEqual([headers['cache-control'], headers['referrer-policy']], ['no-store', 'no-referrer']);
    }
  });

  it('take the methods of a browser and no others', async () => {
    for (const url of PATHS) {
      const headers = { host: 'luigi.example.com', authorization: 'Bearer good-alice' };
      const answer = await world.app.inject({ method: 'PUT', url, headers });
      assert.equal(answer.statusCode, 405, url);
      const head = await world.app.inject({
        method: 'HEAD',
        url,
        headers: { host: 'luigi.example.com', ...NAVIGATION },
      });
      assert.equal(head.cookies.length, 0, url);
    }
    for (const [headers, payload, status] of [
      [{ 'content-type': 'application/json' }, '{}', 415],
      [FORM, 'x'.repeat(2_000), 413],
    ] as const) {
      const answer = await world.app.inject({ method: 'POST', url: '/luigid/sign-out', headers, payload });
      assert.equal(answer.statusCode, status);
    }
  });

  it('are the way of people: scripts get 401, a token changes nothing', async () => {
    const script = await get('/luigid/sign-in', { 'sec-fetch-mode': 'cors', 'sec-fetch-dest': 'empty' });
    assert.deepEqual([script.statusCode, script.json().code], [401, 'sign-in-needed']);
    assert.equal(script.headers.location, undefined);
    const token = await get('/luigid/sign-in', { authorization: 'Bearer good-alice' });
    assert.equal(token.statusCode, 303);
    assert.deepEqual(world.audited, []);
  });

  it('need a gateway that serves, and its proxy', async () => {
    world.faults.stopping = true;
    assert.equal((await get('/luigid/sign-in')).json().code, 'stopping');
    world.faults.stopping = false;
    const past = await world.app.inject({ url: '/luigid/sign-in', headers: NAVIGATION, remoteAddress: '198.51.100.7' });
    assert.equal(past.json().code, 'proxy-bypassed');
    people.auditFailure = new PlumblineError('ERR_AUDIT_UNAVAILABLE', 'The audit log cannot be written');
    const begun = await get('/luigid/sign-in');
    const query = await logIn(String(begun.headers.location), 'robin');
    const cookie = begun.cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
    const page = await get(`/luigid/sign-in/callback${query}`, { cookie });
    assert.deepEqual([page.statusCode, page.json().code, page.cookies.length], [503, 'audit-unavailable', 0]);
  });

  it('are not there without signIn in the configuration', async () => {
    const without = await gatewayWorld();
    try {
      for (const url of PATHS)
        assert.notEqual((await without.app.inject({ url, headers: NAVIGATION })).statusCode, 200);
    } finally {
      await without.close();
    }
  });
});
