import assert from 'node:assert/strict';
import type { ServerResponse } from 'node:http';
import type { Authenticator, IssuerHealth } from '#gateway/auth/authenticator.ts';
import { createAuthenticator } from '#gateway/auth/create-authenticator.ts';
import type { KeyLimits } from '#gateway/auth/issuer-keys.ts';
import type { IssuerSettings } from '#gateway/auth/issuer-settings.ts';
import { createHttp } from '#http/http.ts';
import { assertRefused } from '../support/assert-refused.ts';
import { eventually } from '../support/eventually.ts';
import { type HandClock, handClock } from '../support/hand-clock.ts';
import { type KeyServer, startKeyServer } from '../support/key-server.ts';
import { randomNumbers, SOAK_SEED } from '../support/soak.ts';
import { type Claims, testKey } from '../support/test-issuer.ts';
import { NOW } from '../support/test-issuers.ts';

const ONE = testKey('RS256', 'one');
const TWO = testKey('RS256', 'two');
const CURVE = testKey('ES256', 'one');
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe('keys of issuers', () => {
  const open: { close(): unknown }[] = [];
  let clock: HandClock;
  let server: KeyServer;
  beforeEach(async () => {
    clock = handClock(NOW);
    server = await startKeyServer('one', [ONE]);
    open.push(server);
  });
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each.close();
  });

  function authenticate(issuers: readonly IssuerSettings[], limits: Partial<KeyLimits> = {}): Authenticator {
    const http = createHttp({ skipVerification: false });
    const authenticator = createAuthenticator(issuers, { http, clock, limits: { timeoutMs: 500, ...limits } });
    open.push(authenticator);
    return authenticator;
  }

  const health = (authenticator: Authenticator): IssuerHealth => authenticator.health()[0] as IssuerHealth;
  const fresh = (key = ONE, claims: Claims = {}) =>
    server.token(key, clock.now(), { jti: crypto.randomUUID(), ...claims });
  const fetches = () => server.asked.filter((path) => path === '/keys').length;
  const refreshed = (count: number) => eventually(() => fetches() >= count, `${count} fetches of keys`);
  /** Whoever keeps keys fresh has done its work and waits. */
  const idle = () => eventually(() => clock.sleeping === 1, 'the pause between two fetches');
  const broken = (authenticator: Authenticator) =>
    eventually(() => health(authenticator).lastError !== undefined, 'a failed fetch');

  it('a hundred requests before the first answer cost one fetch', async () => {
    const authenticator = authenticate([server.settings]);
    assert.equal(health(authenticator).keys, 'unused');
    await Promise.all(Array.from({ length: 100 }, () => authenticator.verify(fresh())));
    assert.deepEqual(server.asked, ['/.well-known/openid-configuration', '/keys']);
    assert.deepEqual([health(authenticator).keys, health(authenticator).keysSince], ['fresh', NOW]);
  });

  it('a new key is found when its first token comes, and the old one goes on', async () => {
    const authenticator = authenticate([server.settings]);
    await authenticator.verify(fresh());
    server.keys = [ONE.jwk, TWO.jwk] as readonly Claims[];
    clock.move(15_000);
    await Promise.all([
      authenticator.verify(fresh(TWO)),
      authenticator.verify(fresh(TWO)),
      authenticator.verify(fresh()),
    ]);
    assert.equal(fetches(), 2);
  });

  it('tokens with keys that nobody has cost one fetch in fifteen seconds', async () => {
    const authenticator = authenticate([server.settings]);
    await authenticator.verify(fresh());
    for (let i = 0; i < 50; i++) await assertRefused(authenticator, fresh({ ...TWO, kid: `random-${i}` }), 'key');
    assert.equal(fetches(), 1);
    clock.move(15_000);
    for (let i = 0; i < 50; i++) await assertRefused(authenticator, fresh({ ...TWO, kid: `other-${i}` }), 'key');
    assert.equal(fetches(), 2);
  });

  it('two keys of one name: each verifies by its own algorithm, and both of the same one', async () => {
    const same = testKey('RS256', 'one');
    server.keys = [ONE.jwk, CURVE.jwk, same.jwk] as readonly Claims[];
    const authenticator = authenticate([server.settings]);
    for (const key of [ONE, CURVE, same]) await authenticator.verify(fresh(key));
    await assertRefused(authenticator, fresh({ ...TWO, kid: 'one' }), 'signature');
  });

  it('a key that was taken back is refused after the next fetch, for tokens too that were good a moment ago', async () => {
    server.keys = [ONE.jwk, TWO.jwk] as readonly Claims[];
    const authenticator = authenticate([server.settings]);
    await authenticator.verify(fresh(ONE));
    await idle();
    clock.move(9.9 * MINUTE);
    const text = fresh(ONE);
    await authenticator.verify(text);
    server.keys = [TWO.jwk as Claims];
    clock.move(0.1 * MINUTE);
    await refreshed(2);
    await eventually(() => health(authenticator).keysSince === clock.now(), 'the new keys');
    await assertRefused(authenticator, text, 'key');
    await authenticator.verify(fresh(TWO));
  });

  it('a fetch in the background keeps nobody waiting', async () => {
    const authenticator = authenticate([server.settings]);
    await authenticator.verify(fresh());
    const held: ServerResponse[] = [];
    server.jwks = (_, response) => void held.push(response);
    await idle();
    clock.move(10 * MINUTE);
    await eventually(() => held.length === 1, 'the fetch that hangs');
    await authenticator.verify(fresh());
    assert.equal(held[0]?.writableEnded, false);
  });

  const FAILURES: Readonly<Record<string, { break(server: KeyServer): void; says: RegExp }>> = {
    'answers 503': { break: (s) => (s.jwks = (_, r) => r.writeHead(503).end()), says: /HTTP 503/ },
    'answers 404 for the discovery document': {
      break: (s) => (s.discovery = (_, r) => r.writeHead(404).end()),
      says: /HTTP 404/,
    },
    'answers with a page': { break: (s) => (s.jwks = (_, r) => r.end('<html>canary</html>')), says: /no JSON/ },
    'answers with no key set': { break: (s) => (s.jwks = (_, r) => r.end('{"keys":{}}')), says: /no list of keys/ },
    'has no keys any more': { break: (s) => (s.keys = []), says: /no key that verifies/ },
    'has only keys for encryption': { break: (s) => (s.keys = [{ ...ONE.jwk, use: 'enc' }]), says: /no key that/ },
    'never answers': { break: (s) => (s.jwks = () => {}), says: /no complete answer within 0\.5 s/ },
    'sends a byte now and then': {
      break: (s) =>
        (s.jwks = (_, r) => {
          const drip = setInterval(() => r.write(' '), 20);
          r.on('close', () => clearInterval(drip));
        }),
      says: /no complete answer within 0\.5 s/,
    },
    'sends a body without an end': {
      break: (s) =>
        (s.jwks = (_, r) => {
          const more = () => !r.destroyed && r.write(Buffer.alloc(64 * 1024, ' '), () => setImmediate(more));
          more();
        }),
      says: /larger than 524288 bytes/,
    },
    'breaks the connection': {
      break: (s) => (s.jwks = (_, r) => r.destroy()),
      says: /socket hang up|ECONNRESET|aborted/,
    },
    'leads elsewhere with a redirect': {
      break: (s) => (s.jwks = (_, r) => r.writeHead(302, { location: `${s.url}/other` }).end()),
      says: /HTTP 302/,
    },
    'leads elsewhere from its discovery document': {
      break: (s) => (s.discovery = (_, r) => r.writeHead(307, { location: 'http://169.254.169.254/' }).end()),
      says: /HTTP 307/,
    },
    'has the document of another issuer': {
      break: (s) => (s.discovery = (_, r) => r.end(JSON.stringify({ issuer: `${s.url}/`, jwks_uri: `${s.url}/keys` }))),
      says: /document of another issuer/,
    },
    'has a document without an address of keys': {
      break: (s) => (s.discovery = (_, r) => r.end(JSON.stringify({ issuer: s.url }))),
      says: /it is missing/,
    },
    'names the metadata service as its keys': {
      break: (s) =>
        (s.discovery = (_, r) => r.end(JSON.stringify({ issuer: s.url, jwks_uri: 'http://169.254.169.254/keys' }))),
      says: /it is not https/,
    },
    'names an address without a name as its keys': {
      break: (s) =>
        (s.discovery = (_, r) => r.end(JSON.stringify({ issuer: s.url, jwks_uri: 'https://10.0.0.1/keys' }))),
      says: /bare IP address/,
    },
    'names a file as its keys': {
      break: (s) => (s.discovery = (_, r) => r.end(JSON.stringify({ issuer: s.url, jwks_uri: 'file:///etc/passwd' }))),
      says: /it is not https/,
    },
    'has null as its document': { break: (s) => (s.discovery = (_, r) => r.end('null')), says: /another issuer/ },
  };

  for (const [what, failure] of Object.entries(FAILURES)) {
    it(`an issuer that ${what}: keys that are there serve on, and the failure is told`, async () => {
      const authenticator = authenticate([server.settings]);
      await authenticator.verify(fresh());
      failure.break(server);
      await idle();
      clock.move(10 * MINUTE);
      await broken(authenticator);
      await authenticator.verify(fresh());
      const { keys, keysSince, lastError = '' } = health(authenticator);
      assert.deepEqual([keys, keysSince], ['stale', NOW]);
      assert.match(lastError, failure.says);
      assert.doesNotMatch(lastError, /canary/);
    });

    it(`an issuer that ${what} from the beginning fails alone`, async () => {
      const other = await startKeyServer('other', [TWO]);
      open.push(other);
      failure.break(server);
      const authenticator = authenticate([server.settings, other.settings]);
      await authenticator.verify(other.token(TWO, NOW));
      await assertRefused(authenticator, fresh(), 'keys');
      assert.deepEqual(
        authenticator.health().map(({ keys }) => keys),
        ['unavailable', 'fresh'],
      );
    });
  }

  it('keys serve for a day without their issuer and no longer; then its tokens are refused until it is back', async () => {
    const authenticator = authenticate([server.settings]);
    await authenticator.verify(fresh());
    server.jwks = (_, response) => response.writeHead(500).end();
    await idle();
    clock.move(24 * HOUR - 1);
    await broken(authenticator);
    const text = fresh();
    await authenticator.verify(text);
    clock.move(1);
    await assertRefused(authenticator, text, 'keys');
    await assertRefused(authenticator, fresh(), 'keys');
    assert.equal(health(authenticator).keys, 'unavailable');
    server.jwks = undefined;
    await idle();
    clock.move(MINUTE);
    await eventually(() => health(authenticator).keys === 'fresh', 'fresh keys');
    await authenticator.verify(fresh());
  });

  it('a failed fetch is tried again after 1, 2, 4 … 60 seconds, whatever the requests do', async () => {
    server.jwks = (_, response) => response.writeHead(500).end();
    const authenticator = authenticate([server.settings]);
    for (const [index, pause] of [1, 2, 4, 8, 16, 32, 60, 60].entries()) {
      await refreshed(index + 1);
      await idle();
      for (let i = 0; i < 20; i++) await assertRefused(authenticator, fresh(), 'keys');
      clock.move(pause * 1_000 - 1);
      await assertRefused(authenticator, fresh(), 'keys');
      assert.equal(fetches(), index + 1);
      clock.move(1);
    }
  });

  it('whoever runs it is told once that an issuer is away, and once that it is back', async () => {
    const told: string[] = [];
    const http = createHttp({ skipVerification: false });
    const log = { info: (line: string) => void told.push(line), debug: () => {} };
    server.jwks = (_, response) => response.writeHead(500).end('canary');
    const authenticator = createAuthenticator([server.settings], { http, clock, log });
    open.push(authenticator);
    for (let failures = 1; failures <= 3; failures++) {
      await refreshed(failures);
      await idle();
      clock.move(60_000);
    }
    server.jwks = undefined;
    await refreshed(4);
    await idle();
    clock.move(60_000);
    await eventually(() => health(authenticator).keys === 'fresh', 'fresh keys');
    assert.equal(told.length, 2, told.join('\n'));
    assert.match(told[0] ?? '', /^Keys of issuer 'one' could not be fetched: '.*\/keys' answered HTTP 500$/);
    assert.match(told[1] ?? '', /^Keys of issuer 'one' were fetched again$/);
  });

  it('a key that nobody knows is no wrong key while its issuer cannot be asked', async () => {
    const authenticator = authenticate([server.settings]);
    await authenticator.verify(fresh());
    server.jwks = (_, response) => response.writeHead(500).end();
    clock.move(15_000);
    await assertRefused(authenticator, fresh(TWO), 'keys');
    await authenticator.verify(fresh(ONE));
  });

  it('another list of issuers keeps the keys of those that stay, and forgets the others at once', async () => {
    const other = await startKeyServer('other', [TWO]);
    open.push(other);
    const authenticator = authenticate([server.settings]);
    const text = fresh();
    await authenticator.verify(text);
    authenticator.configure([{ ...server.settings, maxLifetimeMs: 6 * MINUTE }, other.settings]);
    await authenticator.verify(text);
    await authenticator.verify(other.token(TWO, NOW));
    assert.equal(fetches(), 1);
    authenticator.configure([other.settings]);
    await assertRefused(authenticator, text, 'issuer');
    authenticator.configure([{ ...server.settings, maxLifetimeMs: MINUTE }]);
    await assertRefused(authenticator, text, 'lifetime');
  });

  it('three hundred changes of keys, outages and times: nothing wrong is accepted, nothing good refused', async () => {
    const random = randomNumbers(SOAK_SEED);
    const pick = <Value>(values: readonly Value[]) => values[Math.floor(random() * values.length)] as Value;
    const keys = ['a', 'b', 'c', 'd'].map((kid) => testKey('RS256', kid));
    const stranger = testKey('RS256', 'a');
    const names = () => new Set(server.keys.map(({ kid }) => String(kid)));
    let fetched = new Set<string>();
    let fetchedAt = clock.now();
    let away = false;
    server.keys = keys.slice(0, 2).map(({ jwk }) => jwk as Claims);
    server.jwks = (_, response) => {
      if (away) return response.writeHead(503).end();
      // No keys at all count as a failure.
      if (server.keys.length > 0) [fetched, fetchedAt] = [names(), clock.now()];
      return response.end(JSON.stringify({ keys: server.keys }));
    };
    const authenticator = authenticate([server.settings]);
    await authenticator.verify(fresh(keys[0]));
    const changes = [
      () => (server.keys = keys.filter(() => random() < 0.5).map(({ jwk }) => jwk as Claims)),
      () => (away = random() < 0.5),
      () => clock.move(pick([1, 1_000, 15_000, 10 * MINUTE, HOUR, 8 * HOUR])),
    ];
    for (let step = 0; step < 300; step++) {
      await idle();
      pick(changes)();
      await idle();
      const key = pick(keys);
      const isServed = clock.now() - fetchedAt < 24 * HOUR;
      const [known, published] = [fetched.has(key.kid) && isServed, names().has(key.kid)];
      const accepted = await authenticator.verify(fresh(key)).then(
        () => true,
        () => false,
      );
      const state = JSON.stringify({ seed: SOAK_SEED, step, kid: key.kid, known, published, isServed, away });
      if (known) assert.ok(accepted, state);
      if (!known && (!published || away)) assert.ok(!accepted, state);
      await assert.rejects(authenticator.verify(fresh(stranger)), state);
    }
  });

  it('nothing is fetched any more after it was closed', async () => {
    const authenticator = authenticate([server.settings]);
    await authenticator.verify(fresh());
    authenticator.close();
    clock.move(25 * HOUR);
    await assertRefused(authenticator, fresh(), 'keys');
    assert.equal(fetches(), 1);
  });

  it('the address of the keys can be named, and then nothing is discovered', async () => {
    const authenticator = authenticate([{ ...server.settings, jwksUri: `${server.url}/keys` }]);
    await authenticator.verify(fresh());
    assert.deepEqual(server.asked, ['/keys']);
  });
});
