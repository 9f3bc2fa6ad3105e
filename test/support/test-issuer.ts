import {
  constants,
  createHash,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  sign as signBytes,
} from 'node:crypto';
import type { IssuerSettings } from '#gateway/auth/issuer-settings.ts';

type Algorithm = IssuerSettings['algorithms'][number];
export type Claims = Readonly<Record<string, unknown>>;

/** What signs a test's tokens byte by byte: no library stands between a test and what it wants to send. */
export interface TestKey {
  readonly alg: Algorithm;
  readonly kid: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  /** As an issuer publishes it, without `alg` as many do. */
  readonly jwk: JsonWebKey & { readonly kid: string };
}

export function testKey(alg: Algorithm = 'RS256', kid = 'key-1', bits = 2048): TestKey {
  const { privateKey, publicKey } = keyPair(alg, bits);
  return { alg, kid, privateKey, publicKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' } };
}

function keyPair(alg: Algorithm, bits: number): { privateKey: KeyObject; publicKey: KeyObject } {
  if (alg === 'ES256') return generateKeyPairSync('ec', { namedCurve: 'P-256' });
  if (alg === 'ES384') return generateKeyPairSync('ec', { namedCurve: 'P-384' });
  if (alg === 'EdDSA' || alg === 'Ed25519') return generateKeyPairSync('ed25519');
  return generateKeyPairSync('rsa', { modulusLength: bits });
}

export function base64url(part: unknown): string {
  return Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
}

/** Header and payload as given (text as it is, everything else as JSON), signed with `key` by `alg`. */
export function signed(header: unknown, payload: unknown, key: TestKey, alg: Algorithm = key.alg): string {
  const input = `${base64url(header)}.${base64url(payload)}`;
  return `${input}.${signature(input, key.privateKey, alg).toString('base64url')}`;
}

export function signature(input: string, privateKey: KeyObject, alg: Algorithm): Buffer {
  const bytes = Buffer.from(input);
  if (alg === 'EdDSA' || alg === 'Ed25519') return signBytes(null, bytes, privateKey);
  const digest = `sha${alg.slice(2)}`;
  if (alg.startsWith('ES')) return signBytes(digest, bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  if (alg === 'PS256')
    return signBytes(digest, bytes, { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
  return signBytes(digest, bytes, privateKey);
}

/** One issuer with its key, and a token of it that is good at `now`. */
export interface TestIssuer {
  readonly settings: IssuerSettings;
  readonly key: TestKey;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly header: Claims;
  readonly claims: Claims;
}

/** A good token, with these claims changed; `undefined` takes one out. */
export function token({ header, claims, key }: TestIssuer, changed: Claims = {}, headerChanged: Claims = {}): string {
  return signed({ ...header, ...headerChanged }, { ...claims, ...changed }, key);
}

/** The same token with a second signature that the same key's holder need not have made: ECDSA's `s` negated. */
export function otherEcdsaSignature(text: string): string {
  const [header, payload, last = ''] = text.split('.');
  const bytes = Buffer.from(last, 'base64url');
  const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
  const s = order - BigInt(`0x${bytes.subarray(32).toString('hex')}`);
  const other = Buffer.concat([bytes.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]);
  return `${header}.${payload}.${other.toString('base64url')}`;
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
