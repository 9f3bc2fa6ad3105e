import assert from 'node:assert/strict';
import { openTokenIssuer } from '#gateway/issuer/open-token-issuer.ts';
import type { TokenIssuer } from '#gateway/issuer/token-issuer.ts';
import { handClock, NO_NETWORK } from '../../../support/hand-clock.ts';
import { DAY, IssuerWorld, START } from '../../../support/issuer-world.ts';
import { gatewayWorld, type World } from '../app/gateway-world.ts';

const DISCOVERY = '/.well-known/openid-configuration';
const KEYS = '/.well-known/jwks.json';

describe('what an issuer publishes', () => {
  const disk = new IssuerWorld();
  let issuer: TokenIssuer;
  let world: World;
  let isKnown = true;

  const opened = (publishForMs: number, publicUrl?: string) =>
    openTokenIssuer({
      config: {
        url: 'https://tokens.example.com',
        lifetimeMs: 90_500,
        keys: { kind: 'files', rotateEveryMs: 0, publishForMs },
      },
      publicUrl,
      stateDirectory: disk.stateDirectory,
      clock: handClock(START),
      log: { info: () => {}, error: () => {} },
      audited: async () => {},
      identity: () => assert.fail('keys on disk need no identity'),
      http: NO_NETWORK,
    });

  before(async () => {
    issuer = await opened(DAY, 'https://gateway.example.com');
    const known = { ...issuer, keys: () => (isKnown ? issuer.keys() : []), problem: () => 'the vault answered 503' };
    world = await gatewayWorld({}, { issuer: known });
  });
  after(async () => {
    await world.close();
    await issuer.close();
    disk.remove();
  });

  it('is for everybody, and may be kept for an hour', async () => {
    for (const url of [DISCOVERY, KEYS]) {
      const { statusCode, headers } = await world.app.inject(url);
      assert.equal(statusCode, 200);
      assert.equal(headers['cache-control'], 'public, max-age=3600');
      assert.match(String(headers['etag']), /^"[\w-]{22}"$/);
      const head = await world.app.inject({ method: 'HEAD', url });
      assert.deepEqual([head.statusCode, head.body], [200, '']);
    }
    assert.deepEqual((await world.app.inject(KEYS)).json(), { keys: issuer.keys() });
  });

  it('sends who wants a token to the gateway, wherever the documents lie', async () => {
    const { issuer: url, jwks_uri, token_endpoint } = (await world.app.inject(DISCOVERY)).json();
    assert.deepEqual(
      [url, jwks_uri, token_endpoint],
      ['https://tokens.example.com', `https://tokens.example.com${KEYS}`, 'https://gateway.example.com/v1/token'],
    );
  });

  it('is not sent again to who has it', async () => {
    const { headers } = await world.app.inject(KEYS);
    const etag = String(headers['etag']);
    const status = async (known: string) =>
      (await world.app.inject({ url: KEYS, headers: { 'if-none-match': known } })).statusCode;
    assert.deepEqual(await Promise.all([etag, `W/${etag}`, `"a", ${etag}`, '*'].map(status)), [304, 304, 304, 304]);
    assert.deepEqual(await Promise.all(['"a"', etag.slice(1, -1), ''].map(status)), [200, 200, 200]);
  });

  it('is no empty list while the keys are not known, and nothing to be kept', async () => {
    isKnown = false;
    const answer = await world.app.inject(KEYS);
    isKnown = true;
    assert.equal(answer.statusCode, 503);
    assert.deepEqual([answer.headers['cache-control'], answer.headers['retry-after']], ['no-store', '5']);
    assert.equal(answer.json().code, 'issuer-unavailable');
    assert.match(answer.json().detail, /the vault answered 503/);
  });

  it('is not to be kept where new keys sign at once; a token lives for whole seconds', async () => {
    await issuer.close();
    const hasty = await opened(0);
    assert.deepEqual([hasty.keysMaxAgeSeconds, hasty.lifetimeSeconds], [0, 90]);
    assert.equal(hasty.tokenEndpoint, 'https://tokens.example.com/v1/token');
    const { expiresAt } = await hasty.issue({ sub: 'a', aud: 'b' });
    assert.equal(expiresAt, START + 90_000);
    await hasty.close();
  });
});
