import type { Incoming, Reply, Service } from './exchange.ts';
import { azureDevOpsIssuer, OIDC_HOST } from './federation.ts';
import type { SigningKey } from './signing-key.ts';

/** The OpenID documents of the Azure DevOps issuer: one per organization, one set of keys for all of them. */
export class OidcProvider implements Service {
  readonly #key: SigningKey;
  readonly #organizationId: string;

  constructor(organizationId: string, key: SigningKey) {
    this.#organizationId = organizationId;
    this.#key = key;
  }

  async handle({ method, url }: Incoming): Promise<Reply> {
    if (method !== 'GET') return { status: 405 };
    if (url.pathname === '/.well-known/jwks') return { status: 200, body: { keys: [this.#key.jwk] } };
    if (url.pathname.toLowerCase() === `/${this.#organizationId}/.well-known/openid-configuration`)
      return { status: 200, body: this.#discovery() };
    return { status: 404 };
  }

  failure(status: number): Reply {
    return { status };
  }

  #discovery(): object {
    return {
      issuer: azureDevOpsIssuer(this.#organizationId),
      jwks_uri: `https://${OIDC_HOST}/.well-known/jwks`,
      subject_types_supported: ['public', 'pairwise'],
      response_types_supported: ['id_token'],
      claims_supported: ['sub', 'aud', 'exp', 'iat', 'iss', 'nbf'],
      id_token_signing_alg_values_supported: ['RS256'],
      scopes_supported: ['openid'],
    };
  }
}
