import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, webcrypto } from 'node:crypto';
import { promisify } from 'node:util';
import { publicKeyOf } from './issuer-key.ts';
import type { PublicKey } from './token-issuer.ts';

const ALGORITHM = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as const;
const BITS = 2_048;
const generate = promisify(generateKeyPair);

export interface NewKey {
  readonly jwk: PublicKey;
  /** PKCS #8. */
  readonly pem: string;
}

/** Made away from the event loop. Its name begins with a letter or digit: people type it behind a command. */
export async function newRsaKey(): Promise<NewKey> {
  const { publicKey, privateKey } = await generate('rsa', { modulusLength: BITS });
  const jwk = await publicKeyOf(publicKey.export({ format: 'jwk' }));
  if (!/^[a-z0-9]/i.test(jwk.kid)) return newRsaKey();
  return { jwk, pem: privateKey.export({ format: 'pem', type: 'pkcs8' }) as string };
}

/** Signs with RS256, away from the event loop. */
export type RsaSign = (input: Uint8Array) => Promise<Uint8Array>;

/** @throws {Error} when the text is not the private part of key `kid`; its message holds nothing of it */
export async function rsaSign(pem: string, kid: string): Promise<RsaSign> {
  const key = parsed(pem, kid);
  const { kid: found } = await publicKeyOf(createPublicKey(key).export({ format: 'jwk' }));
  if (found !== kid) throw new Error(`the private part of key ${kid} belongs to ${found}`);
  const imported = await webcrypto.subtle.importKey(
    'pkcs8',
    key.export({ format: 'der', type: 'pkcs8' }),
    ALGORITHM,
    false,
    ['sign'],
  );
  return async (input) => new Uint8Array(await webcrypto.subtle.sign(ALGORITHM, imported, input));
}

function parsed(pem: string, kid: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new Error(`the private part of key ${kid} is no key`);
  }
}
