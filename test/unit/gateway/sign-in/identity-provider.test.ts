import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { createCertificateAuthority } from '#local-azure/certificate-authority.ts';
import { serve, tunnelProxy } from '../../../support/loopback.ts';
import { base64url, signed, testKey } from '../../../support/test-issuer.ts';
import { HostileProvider, type IdToken, json } from './hostile-provider.ts';
import { cookiesOf, SignInWorld } from './sign-in-world.ts';

describe('what a provider answers', function () {
  this.timeout(30_000);
  let provider: HostileProvider;
  let world: SignInWorld;
  beforeEach(async () => {
    provider = await HostileProvider.start();
    world = new SignInWorld(provider.url);
  });
  afterEach(() => provider.close());

  /** Begins, and comes back with a code. */
  async function comeBack(): Promise<readonly [status: number, reason: string | undefined]> {
    const begun = await world.begin();
    if (begun.status !== 303) return [begun.status, begun.problem?.reason];
    const asked = new URL(String(begun.headers['location'])).searchParams;
    provider.nonce = asked.get('nonce') ?? '';
    const query = `?code=canary-code-7Hq2vX9pLm&state=${asked.get('state')}`;
    const page = await world.finish(query, cookiesOf(begun));
    const said = JSON.stringify([page, world.logged, world.records]);
    assert.doesNotMatch(said, /canary|eyJ/, 'neither code nor token is in page, log or audit');
    return [page.status, page.problem?.reason];
  }

  it('is taken when it is good', async () => {
    assert.deepEqual(await comeBack(), [200, undefined]);
    const token = provider.asked.find((line) => line.startsWith('POST /token')) ?? '';
    const sent = new URLSearchParams(token.split(' ')[2]);
    assert.deepEqual([...sent.keys()].sort(), ['client_id', 'code', 'code_verifier', 'grant_type', 'redirect_uri']);
    assert.ok(provider.asked.includes('GET /jwks'), 'the signature was looked at');
  });

  it('is asked for once, however many begin at once', async () => {
    await Promise.all([...Array(20)].map(() => world.begin()));
    assert.deepEqual(provider.asked, ['GET /.well-known/openid-configuration']);
  });

  const changed = (changes: Readonly<Record<string, unknown>>) => (good: IdToken) =>
    signed(good.header, { ...good.claims, ...changes }, good.key);
  const past = Math.floor(Date.now() / 1_000) - 3_600;
  const tokens: Readonly<Record<string, (good: IdToken) => string>> = {
    'another issuer': changed({ iss: 'https://other.example' }),
    'for another client': changed({ aud: 'another' }),
    'for several, none of them this client': changed({ aud: ['a', 'b'], azp: 'a' }),
    'asked for by another client': changed({ aud: ['plumbline', 'b'], azp: 'b' }),
    'of another sign-in': changed({ nonce: 'A'.repeat(43) }),
    'of no sign-in': changed({ nonce: undefined }),
    over: changed({ iat: past, exp: past + 60 }),
    'without an end': changed({ exp: undefined }),
    'of nobody': changed({ sub: undefined }),
    'of an empty name': changed({ sub: '' }),
    'of a name with a line end': changed({ sub: 'robin\nadmin' }),
    'of a name with a direction': changed({ sub: 'robin\u202eadmin' }),
    'with too much in it': changed({ groups: [...Array(4_000)].map((_, i) => `group-${i}`) }),
    'signed by another key': ({ header, claims }) => signed(header, claims, testKey('RS256')),
    'signed by nobody': ({ claims }) => `${base64url({ alg: 'none' })}.${base64url(claims)}.`,
    'signed with the public key as a secret': ({ claims, key }) => {
      const input = `${base64url({ alg: 'HS256', kid: key.kid })}.${base64url(claims)}`;
      const secret = key.publicKey.export({ type: 'spki', format: 'pem' });
      return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
    },
    'with a signature that was cut': (good) => signed(good.header, good.claims, good.key).slice(0, -20),
    'with other claims than were signed': (good) => {
      const [head, , signature] = signed(good.header, good.claims, good.key).split('.');
      return `${head}.${base64url({ ...good.claims, sub: 'admin' })}.${signature}`;
    },
    'no token at all': () => 'x',
  };
  for (const [name, token] of Object.entries(tokens)) {
    it(`is refused with a token: ${name}`, async () => {
      provider.token = token;
      assert.deepEqual(await comeBack(), [400, 'id-token']);
    });
  }

  const answers: Readonly<Record<string, readonly [(response: ServerResponse) => void, number, string]>> = {
    'no ID token': [(response) => json(response, { access_token: 'opaque', token_type: 'Bearer' }), 400, 'id-token'],
    'no JSON': [
      (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<p>'),
      400,
      'id-token',
    ],
    'a redirect': [(response) => void response.writeHead(302, { location: '/elsewhere' }).end(), 400, 'id-token'],
    'an error of its own': [(response) => void response.writeHead(500).end('canary'), 503, 'provider-unavailable'],
    'more than anybody reads': [
      (response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('x'.repeat(2_000_000)),
      503,
      'provider-unavailable',
    ],
    'an error that shows the code': [
      (response) => {
        const description = 'the code eyJhbGciOiJub25lIn0.canarycanary\nwas used before';
        const body = JSON.stringify({ error: 'invalid_grant', error_description: description });
        response.writeHead(400, { 'content-type': 'application/json' }).end(body);
      },
      400,
      'provider-refused',
    ],
  };
  for (const [name, [answer, status, reason]] of Object.entries(answers)) {
    it(`is not taken: ${name}`, async () => {
      provider.answer = answer;
      assert.deepEqual(await comeBack(), [status, reason]);
      assert.ok(!provider.asked.some((line) => line.includes('elsewhere')));
    });
  }

  const documents: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
    'of another issuer': { issuer: 'https://other.example' },
    'of every tenant': { issuer: 'https://login.microsoftonline.com/{tenantid}/v2.0' },
    'with a token endpoint of the cloud metadata service': { token_endpoint: 'http://169.254.169.254/token' },
    'with keys at an address without a name': { jwks_uri: 'https://10.0.0.7/jwks' },
    'with a page that is a script': { authorization_endpoint: 'javascript:alert(1)' },
    'with a page in the clear': { authorization_endpoint: 'http://login.example.com/authorize' },
    'with a page at this machine': { authorization_endpoint: 'http://localhost:1/authorize' },
    'without a token endpoint': { token_endpoint: undefined },
    'without keys': { jwks_uri: undefined },
  };
  for (const [name, metadata] of Object.entries(documents)) {
    it(`leads nowhere by a document ${name}`, async () => {
      provider.metadata = metadata;
      assert.deepEqual(await comeBack(), [503, 'discovery']);
      assert.deepEqual(provider.asked, ['GET /.well-known/openid-configuration']);
      provider.metadata = {};
      assert.deepEqual(await comeBack(), [200, undefined], 'the next sign-in, when it is mended');
    });
  }
});

describe('Entra, through a proxy and a private authority', () => {
  const ENTRA = 'https://login.microsoftonline.com';
  const closers: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of closers.splice(0).reverse()) await close();
  });

  /** Its document, in which `common` and `organizations` name no tenant. */
  async function entra(tenant: string): Promise<SignInWorld> {
    const authority = await createCertificateAuthority();
    closers.push(authority.remove);
    const of = `${ENTRA}/${tenant}`;
    const issuer = tenant.includes('-') ? `${of}/v2.0` : `${ENTRA}/{tenantid}/v2.0`;
    const server = await serve(
      (_, response) =>
        json(response, {
          issuer,
          authorization_endpoint: `${of}/oauth2/v2.0/authorize`,
          token_endpoint: `${of}/oauth2/v2.0/token`,
          jwks_uri: `${of}/discovery/v2.0/keys`,
        }),
      authority.issue(['login.microsoftonline.com']),
    );
    closers.push(server.close);
    const proxy = await tunnelProxy({ 'login.microsoftonline.com:443': server.port });
    closers.push(proxy.close);
    const network = { skipVerification: false, caFile: authority.caFile, proxy: { url: proxy.url, bypass: [] } };
    return new SignInWorld(`${of}/v2.0`, { network });
  }

  it('sends people to the tenant of the configuration', async () => {
    const tenant = '11111111-2222-4333-8444-555555555555';
    const page = await (await entra(tenant)).begin();
    assert.equal(page.status, 303);
    const { pathname, origin } = new URL(String(page.headers['location']));
    assert.equal(`${origin}${pathname}`, `${ENTRA}/${tenant}/oauth2/v2.0/authorize`);
  });

  for (const tenant of ['common', 'organizations', 'consumers']) {
    it(`takes nobody from ${tenant}, which is every tenant there is`, async () => {
      const world = await entra(tenant);
      const page = await world.begin();
      assert.deepEqual([page.status, page.problem?.reason], [503, 'discovery']);
      assert.match(world.logged.join(), /names the issuer/);
    });
  }
});
