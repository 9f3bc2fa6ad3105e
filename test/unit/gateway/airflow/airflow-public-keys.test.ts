import assert from 'node:assert/strict';
import { generateKeyPairSync, type JsonWebKey, type KeyObject } from 'node:crypto';
import fc from 'fast-check';
import { airflowPublicKeys } from '#gateway/airflow/airflow-public-keys.ts';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ed25519 = generateKeyPairSync('ed25519');
const RSA: JsonWebKey = { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'airflow-1' };
const ED25519: JsonWebKey = { ...ed25519.publicKey.export({ format: 'jwk' }), kid: 'airflow-2' };
const jwk = ({ publicKey }: { publicKey: KeyObject }): JsonWebKey => ({
  ...publicKey.export({ format: 'jwk' }),
  kid: 'k',
});
const set = (...keys: unknown[]) => JSON.stringify({ keys });

describe('the public keys of an Airflow', () => {
  it('are published with kid, algorithm and use, and nothing but what verifies', () => {
    const text = set(
      { ...RSA, key_ops: ['verify'], x5c: ['MII'], note: 'of March' },
      { ...ED25519, alg: 'EdDSA', use: 'sig' },
    );
    assert.deepEqual(airflowPublicKeys(text), [
      { kty: 'RSA', n: RSA.n, e: RSA.e, kid: 'airflow-1', use: 'sig', alg: 'RS256' },
      { kty: 'OKP', crv: 'Ed25519', x: ED25519.x, kid: 'airflow-2', use: 'sig', alg: 'EdDSA' },
    ]);
    assert.equal(airflowPublicKeys(set({ ...RSA, alg: 'PS512' }))[0]?.['alg'], 'PS512');
  });

  const { d } = rsa.privateKey.export({ format: 'jwk' });
  const refused: readonly (readonly [string, string, RegExp])[] = [
    ['a private RSA key', set({ ...rsa.privateKey.export({ format: 'jwk' }), kid: 'a' }), /private or symmetric/],
    [
      'a private Ed25519 key',
      set({ ...ed25519.privateKey.export({ format: 'jwk' }), kid: 'a' }),
      /private or symmetric/,
    ],
    ['one beside good ones', set(RSA, { ...ED25519, d: 'AA' }), /private or symmetric key \(key 2\)/],
    ['a shared secret', set({ kty: 'oct', k: 'c2VjcmV0', kid: 'a' }), /private or symmetric/],
    ['one without its value', set({ kty: 'oct', kid: 'a' }), /neither RSA nor Ed25519/],
    ['one of a name of every object', set({ kty: 'constructor', kid: 'a' }), /neither RSA nor Ed25519/],
    ['a PEM', rsa.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string, /no JWKS/],
    ['a key and no set', JSON.stringify(RSA), /no keys/],
    ['an empty set', set(), /no keys/],
    ['no text', '', /no JWKS/],
    ['a key without a name', set({ ...RSA, kid: undefined }), /without a kid/],
    ['one whose name has a line break', set({ ...RSA, kid: 'a\nb' }), /without a kid/],
    ['two of one name', set(RSA, { ...ED25519, kid: 'airflow-1' }), /two keys with the kid airflow-1/],
    ['one for encryption', set({ ...RSA, use: 'enc' }), /not for signatures/],
    ['one for a secret’s algorithm', set({ ...RSA, alg: 'HS256' }), /another algorithm/],
    ['one for none', set({ ...RSA, alg: 'none' }), /another algorithm/],
    ['an elliptic curve', set(jwk(generateKeyPairSync('ec', { namedCurve: 'P-256' }))), /neither RSA nor Ed25519/],
    ['another curve', set(jwk(generateKeyPairSync('ed448'))), /neither RSA nor Ed25519/],
    ['a short one', set(jwk(generateKeyPairSync('rsa', { modulusLength: 1024 }))), /less than 2048 bits/],
    ['one that is none', set({ ...RSA, n: '***' }), /cannot be read|less than 2048/],
    ['too many', set(...Array.from({ length: 17 }, (_, i) => ({ ...RSA, kid: `k${i}` }))), /more than 16/],
  ];
  for (const [what, text, why] of refused)
    it(`are not ${what}`, () =>
      assert.throws(
        () => airflowPublicKeys(text),
        (error: Error) => why.test(error.message) && !error.message.includes(d?.slice(0, 20) ?? ''),
      ));

  it('are what they are or refused, whatever the file holds', () => {
    const check = (text: string) => {
      try {
        for (const key of airflowPublicKeys(text)) assert.ok(['RSA', 'OKP'].includes(String(key['kty'])) && key.kid);
      } catch (error) {
        assert.ok(error instanceof Error && error.message.length < 200);
      }
    };
    const members = fc.dictionary(
      fc.constantFrom('kty', 'n', 'e', 'crv', 'x', 'kid', 'alg', 'use', 'd'),
      fc.jsonValue(),
    );
    fc.assert(fc.property(fc.string({ unit: 'binary' }), check));
    fc.assert(fc.property(fc.json(), check));
    fc.assert(
      fc.property(fc.array(members), (keys) =>
        check(JSON.stringify({ keys: keys.map((key) => ({ ...RSA, ...key })) })),
      ),
      { numRuns: 25 },
    );
  });
});
