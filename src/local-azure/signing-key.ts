import { createHash } from 'node:crypto';
import { exportJWK, generateKeyPair, type JWK, type JWTPayload, SignJWT } from 'jose';

/** A key pair made for this start, with the public half as an issuer publishes it. */
export interface SigningKey {
  readonly jwk: JWK;
  /** Signs exactly these claims. */
  sign(claims: JWTPayload): Promise<string>;
}

/** RS256, as both Azure DevOps and Entra use; `kid` is derived from the public key. */
export async function createSigningKey(): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair('RS256', { extractable: true });
  const bare = await exportJWK(publicKey);
  const kid = createHash('sha1').update(String(bare.n)).digest('base64url');
  return {
    jwk: { ...bare, kid, x5t: kid, use: 'sig', alg: 'RS256' },
    sign: (claims) =>
      new SignJWT(claims).setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid, x5t: kid }).sign(privateKey),
  };
}
