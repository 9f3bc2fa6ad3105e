import assert from 'node:assert/strict';
import { createAuthenticator } from '#gateway/auth/create-authenticator.ts';
import type { IssuerSettings } from '#gateway/auth/issuer-settings.ts';
import { importKeys } from '#gateway/auth/verification-key.ts';
import { assertRefused } from '../../../support/assert-refused.ts';
import { handClock, NO_NETWORK } from '../../../support/hand-clock.ts';
import { signed, type TestKey, token } from '../../../support/test-issuer.ts';
import { NOW, sharedKey, TENANT, testIssuer } from '../../../support/test-issuers.ts';

const ALGORITHMS = ['RS256', 'RS384', 'RS512', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'] as const;
type Algorithm = (typeof ALGORITHMS)[number];
type Jwk = Readonly<Record<string, unknown>>;

function authenticatorOf(settings: IssuerSettings) {
  return createAuthenticator([settings], { http: NO_NETWORK, clock: handClock(NOW) });
}

/** A token of the `oidc` sample by this key, as if by `alg`. */
function by(key: TestKey, alg: Algorithm = key.alg): string {
  return signed({ alg, kid: key.kid }, testIssuer('oidc').claims, key, alg);
}

function trusting(algorithms: readonly Algorithm[], ...keys: readonly Jwk[]): IssuerSettings {
  return testIssuer('oidc', { algorithms, jwks: { keys } }).settings;
}

describe('algorithms and keys', () => {
  for (const alg of ALGORITHMS)
    it(`${alg}: taken where it is named, refused where it is not`, async () => {
      const issuer = testIssuer('oidc', { algorithms: [alg] });
      await authenticatorOf(issuer.settings).verify(token(issuer));
      const another = trusting(
        [alg === 'ES384' ? 'RS256' : 'ES384'],
        issuer.key.jwk as Jwk,
        sharedKey('ES384', 'e').jwk as Jwk,
        sharedKey('RS256', 'r').jwk as Jwk,
      );
      await assertRefused(authenticatorOf(another), token(issuer), 'algorithm');
    });

  it('a key has one algorithm: its own, else the first that fits', async () => {
    const key = sharedKey('RS256', 'rsa');
    const first = authenticatorOf(trusting(['RS256', 'RS512', 'PS256'], key.jwk as Jwk));
    await first.verify(by(key));
    await assertRefused(first, by(key, 'RS512'), 'algorithm');
    await assertRefused(first, by(key, 'PS256'), 'algorithm');
    const named = authenticatorOf(trusting(['RS256', 'RS512'], { ...key.jwk, alg: 'RS512' }));
    await named.verify(by(key, 'RS512'));
    await assertRefused(named, by(key), 'algorithm');
  });

  it('a curve has the algorithm that belongs to it', async () => {
    const [small, large] = [sharedKey('ES256', 'small'), sharedKey('ES384', 'large')];
    const authenticator = authenticatorOf(trusting(['ES256', 'ES384'], small.jwk as Jwk, large.jwk as Jwk));
    await authenticator.verify(by(small));
    await authenticator.verify(by(large));
    await assertRefused(
      authenticator,
      signed({ alg: 'ES384', kid: 'small' }, testIssuer('oidc').claims, small),
      'algorithm',
    );
  });

  it('of the keys that all Entra tenants share, those of another tenant do not count', async () => {
    const { settings, key } = testIssuer('entra');
    const owned = (issuer: string) => importKeys({ keys: [{ ...key.jwk, issuer }] }, settings);
    assert.equal((await owned(`https://login.microsoftonline.com/${TENANT}/v2.0`)).size, 1);
    assert.equal((await owned('https://login.microsoftonline.com/{tenantid}/v2.0')).size, 1);
    assert.equal((await owned('https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0')).size, 0);
  });

  it('a set of keys is read as far as it goes', async () => {
    const { settings, key } = testIssuer('gitlab');
    const strange = [
      null,
      1,
      'key',
      [],
      {},
      { kid: 'a' },
      { kty: 'RSA', kid: 'a', n: 1, e: 1 },
      { ...key.jwk, n: '!' },
    ];
    assert.deepEqual([...(await importKeys({ keys: [...strange, key.jwk] }, settings)).keys()], ['key-1']);
    const crowd = Array.from({ length: 500 }, (_, i) => ({ ...key.jwk, kid: `key-${i}` }));
    assert.equal((await importKeys({ keys: crowd }, settings)).size, 100);
    const twins = Array.from({ length: 50 }, () => key.jwk);
    assert.equal((await importKeys({ keys: twins }, settings)).get('key-1')?.length, 4);
    for (const set of [null, 1, [], {}, { keys: {} }]) await assert.rejects(importKeys(set, settings), TypeError);
  });
});
