import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import type { PublicKey } from '../issuer/token-issuer.ts';

const MOST_KEYS = 16;
const LEAST_BITS = 2_048;

/** Which algorithms a key may be for; the first is what Airflow takes for a key that does not say (`_guess_best_algorithm`, 3.3.2). */
const ALGORITHMS: ReadonlyMap<string, readonly string[]> = new Map([
  ['RSA', ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']],
  ['OKP', ['EdDSA']],
]);
/** RFC 7518 §6.2.2, §6.3.2, §6.4; RFC 8037 §2. */
const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];

/**
 * The public keys of an Airflow, of a JWKS (RFC 7517 §5): RSA or Ed25519, the only ones by which Airflow 3 signs. Of each key nothing is kept
 * but what verifies.
 *
 * @throws {Error} why the set is none that may be published, in words without anything of a key
 */
export function airflowPublicKeys(text: string): readonly PublicKey[] {
  const { keys } = parsed(text);
  if (!Array.isArray(keys) || keys.length === 0) throw new Error('has no keys');
  if (keys.length > MOST_KEYS) throw new Error(`has more than ${MOST_KEYS} keys`);
  const read = keys.map((key, i) => publicKey(key, `key ${i + 1}`));
  const again = read.find(({ kid }, i) => read.findIndex((other) => other.kid === kid) !== i);
  if (again) throw new Error(`has two keys with the kid ${again.kid}`);
  return read;
}

function parsed(text: string): { readonly keys?: unknown } {
  try {
    const value = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch {
    // Its message would quote the text, which may be a private key.
  }
  throw new Error('is no JWKS: it is no JSON object');
}

function publicKey(value: unknown, which: string): PublicKey {
  const jwk = Object(value) as Readonly<Record<string, unknown>>;
  // Who finds one here has to know it before all else.
  if (PRIVATE.some((name) => name in jwk)) throw new Error(`holds a private or symmetric key (${which})`);
  const allowed = ALGORITHMS.get(String(jwk['kty']));
  if (allowed === undefined) throw new Error(`has a key that is neither RSA nor Ed25519 (${which})`);
  const { kid, use = 'sig', alg = allowed[0] } = jwk;
  if (typeof kid !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(kid))
    throw new Error(`has a key without a kid (${which})`);
  if (use !== 'sig') throw new Error(`has a key that is not for signatures (${which})`);
  if (!allowed.includes(String(alg))) throw new Error(`has a key for another algorithm than it can be for (${which})`);
  return { ...verifying(jwk, which), kid, use: 'sig', alg: String(alg) };
}

function verifying(jwk: Readonly<Record<string, unknown>>, which: string): Readonly<Record<string, string>> {
  const { kty, n, e, crv, x } = imported(jwk, which).export({ format: 'jwk' });
  if (kty === 'RSA' && Buffer.from(n ?? '', 'base64url').length * 8 < LEAST_BITS)
    throw new Error(`has an RSA key of less than ${LEAST_BITS} bits (${which})`);
  if (kty === 'OKP' && crv !== 'Ed25519') throw new Error(`has a key that is neither RSA nor Ed25519 (${which})`);
  const parts = Object.entries({ kty, n, e, crv, x });
  return Object.fromEntries(parts.filter((part): part is [string, string] => part[1] !== undefined));
}

function imported(jwk: Readonly<Record<string, unknown>>, which: string): KeyObject {
  try {
    return createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
  } catch {
    throw new Error(`has a key that cannot be read (${which})`);
  }
}
