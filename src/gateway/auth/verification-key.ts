import { type CryptoKey, importJWK, type JWK } from 'jose';
import type { IssuerSettings } from './issuer-settings.ts';
import { entraIssuer } from './profiles/azure-issuer.ts';

type Algorithm = IssuerSettings['algorithms'][number];
type PublishedKey = Readonly<Record<string, unknown>>;

/** A public key with the one algorithm that it verifies. */
export interface VerificationKey {
  readonly kid: string;
  readonly alg: Algorithm;
  readonly key: CryptoKey;
}

/** By `kid`. An issuer may publish the same `kid` twice. */
export type VerificationKeys = ReadonlyMap<string, readonly VerificationKey[]>;

const MOST_KEYS = 100;
const MOST_OF_ONE_NAME = 4;
const LONGEST_KID = 255;
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'];
const RSA: readonly Algorithm[] = ['RS256', 'RS384', 'RS512', 'PS256'];
const CURVES: Readonly<Record<string, readonly Algorithm[]>> = {
  'P-256': ['ES256'],
  'P-384': ['ES384'],
  Ed25519: ['Ed25519', 'EdDSA'],
};

/**
 * The keys of a JWK set that verify this issuer's tokens; others are left out: keys for encryption, of other algorithms, RSA
 * under 2048 bits, keys without a `kid`, of another Entra tenant, and any that shows its private part.
 *
 * @throws TypeError when it is no JWK set.
 */
export async function importKeys(set: unknown, settings: IssuerSettings): Promise<VerificationKeys> {
  const found = new Map<string, VerificationKey[]>();
  for (const jwk of publishedKeys(set)) {
    const key = await imported(jwk, settings);
    if (key === undefined) continue;
    const same = found.get(key.kid) ?? [];
    if (same.length < MOST_OF_ONE_NAME) found.set(key.kid, [...same, key]);
  }
  return found;
}

/** Whether a key of a JWK set can verify tokens of this issuer, before it is imported. */
export function isUsableKey(jwk: PublishedKey, settings: IssuerSettings): boolean {
  return isNamed(jwk) && isForSignatures(jwk) && isOfTenant(jwk, settings) && algorithmOf(jwk, settings) !== undefined;
}

function publishedKeys(set: unknown): readonly PublishedKey[] {
  const keys = typeof set === 'object' && set !== null && 'keys' in set ? set.keys : undefined;
  if (!Array.isArray(keys)) throw new TypeError('it has no list of keys');
  return keys.slice(0, MOST_KEYS).filter((key) => typeof key === 'object' && key !== null);
}

async function imported(jwk: PublishedKey, settings: IssuerSettings): Promise<VerificationKey | undefined> {
  const alg = algorithmOf(jwk, settings);
  if (alg === undefined || !isUsableKey(jwk, settings)) return undefined;
  // Only what makes the key: `alg`, `use` and `key_ops` were judged above.
  const { kty, n, e, crv, x, y } = jwk as JWK;
  try {
    const key = await importJWK({ kty, n, e, crv, x, y } as JWK, alg);
    return key instanceof Uint8Array ? undefined : { kid: String(jwk['kid']), alg, key };
  } catch {
    return undefined;
  }
}

function isNamed({ kid }: PublishedKey): boolean {
  return typeof kid === 'string' && kid.length > 0 && kid.length <= LONGEST_KID;
}

function isForSignatures(jwk: PublishedKey): boolean {
  const { use, key_ops: operations } = jwk;
  if (PRIVATE.some((name) => Object.hasOwn(jwk, name))) return false;
  if (use !== undefined && use !== 'sig') return false;
  return operations === undefined || (Array.isArray(operations) && operations.includes('verify'));
}

/** In the key set that Entra's tenants share, `issuer` says whose a key is; `{tenantid}`: everybody's. */
function isOfTenant({ issuer: owner }: PublishedKey, { issuer }: IssuerSettings): boolean {
  const tenant = entraIssuer(issuer)?.tenant;
  if (tenant === undefined || typeof owner !== 'string') return true;
  return owner.includes('{tenantid}') || owner.toLowerCase().includes(tenant);
}

/** The one algorithm of a key: its own `alg`, else the first that the policy allows for its type. */
function algorithmOf(jwk: PublishedKey, { algorithms }: IssuerSettings): Algorithm | undefined {
  const possible = possibleAlgorithms(jwk).filter((each) => jwk['alg'] === undefined || jwk['alg'] === each);
  return algorithms.find((each) => possible.includes(each));
}

function possibleAlgorithms({ kty, crv, n, e }: PublishedKey): readonly Algorithm[] {
  if (kty === 'RSA') return isSoundRsa(n, e) ? RSA : [];
  if (kty !== 'EC' && kty !== 'OKP') return [];
  return typeof crv === 'string' && Object.hasOwn(CURVES, crv) ? (CURVES[crv] ?? []) : [];
}

/** 2048 to 8192 bits; an exponent of at most 32 bits keeps verification fast. */
function isSoundRsa(n: unknown, e: unknown): boolean {
  if (typeof n !== 'string' || typeof e !== 'string') return false;
  const modulus = Buffer.from(n, 'base64url');
  const exponent = Buffer.from(e, 'base64url');
  return modulus.length >= 256 && modulus.length <= 1_024 && exponent.length <= 4 && !exponent.equals(ONE);
}

const ONE = Buffer.of(1);
