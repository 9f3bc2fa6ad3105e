import { createHash } from 'node:crypto';
import type { JsonValue } from '#core/json.ts';
import type { PublicKey, TokenIssuer } from './token-issuer.ts';

/** Below the issuer's URL; OpenID Connect Discovery 1.0 §4 fixes the first. */
export const DISCOVERY_PATH = '/.well-known/openid-configuration';
export const KEYS_PATH = '/.well-known/jwks.json';

export interface IssuerDocument {
  readonly text: string;
  /** Of HTTP: other for another text. */
  readonly etag: string;
}

/**
 * What whoever verifies tokens reads first. Of what OpenID Connect Discovery asks for, the address where people sign in is
 * missing: nobody does here.
 */
export function discoveryDocument({ url, tokenEndpoint }: Pick<TokenIssuer, 'url' | 'tokenEndpoint'>): IssuerDocument {
  return document({
    issuer: url,
    jwks_uri: `${url}${KEYS_PATH}`,
    token_endpoint: tokenEndpoint,
    response_types_supported: ['id_token'],
    grant_types_supported: ['urn:ietf:params:oauth:grant-type:token-exchange'],
    token_endpoint_auth_methods_supported: ['none'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    claims_supported: ['iss', 'sub', 'aud', 'iat', 'nbf', 'exp', 'jti', 'act', 'plumbline'],
  });
}

/** RFC 7517 §5; `undefined` while the keys are not known: an empty set would be believed. */
export function keysDocument(keys: readonly PublicKey[]): IssuerDocument | undefined {
  return keys.length === 0 ? undefined : document({ keys });
}

function document(value: JsonValue): IssuerDocument {
  const text = JSON.stringify(value);
  return { text, etag: `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"` };
}
