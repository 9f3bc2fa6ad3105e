import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { serve } from '../../../support/loopback.ts';
import { CLIENT_ID } from '../../../support/people-provider.ts';
import { type Claims, signed, type TestKey, testKey } from '../../../support/test-issuer.ts';

export interface IdToken {
  readonly header: Readonly<Record<string, unknown>>;
  readonly claims: Claims;
  readonly key: TestKey;
}

/** A provider that sends whatever a test wants: each part may be replaced. */
export class HostileProvider {
  readonly key = testKey('RS256');
  url = '';
  /** Changes to the discovery document. */
  metadata: Readonly<Record<string, unknown>> = {};
  token: (good: IdToken) => string = ({ header, claims, key }) => signed(header, claims, key);
  /** Instead of the answer of the token endpoint. */
  answer: ((response: ServerResponse) => void) | undefined;
  nonce = '';
  /** What came: method and path, and the body of requests for a token. */
  readonly asked: string[] = [];
  #close: () => Promise<void> = async () => {};

  static async start(): Promise<HostileProvider> {
    const provider = new HostileProvider();
    const { port, close } = await serve((request, response) => void provider.#respond(request, response));
    provider.url = `http://127.0.0.1:${port}`;
    provider.#close = close;
    return provider;
  }

  close(): Promise<void> {
    return this.#close();
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.asked.push(`${request.method} ${request.url} ${request.method === 'POST' ? await text(request) : ''}`.trim());
    if (request.url === '/.well-known/openid-configuration') return json(response, this.#discovery());
    if (request.url === '/jwks') return json(response, { keys: [this.key.jwk] });
    if (request.url !== '/token') return void response.writeHead(404).end();
    if (this.answer !== undefined) return this.answer(response);
    json(response, { access_token: 'opaque', token_type: 'Bearer', id_token: this.token(this.#good()) });
  }

  #discovery(): object {
    return {
      issuer: this.url,
      authorization_endpoint: `${this.url}/authorize`,
      token_endpoint: `${this.url}/token`,
      jwks_uri: `${this.url}/jwks`,
      response_types_supported: ['code'],
      id_token_signing_alg_values_supported: ['RS256', 'HS256', 'none'],
      ...this.metadata,
    };
  }

  #good(): IdToken {
    const now = Math.floor(Date.now() / 1_000);
    const claims = {
      iss: this.url,
      aud: CLIENT_ID,
      sub: 'robin',
      nonce: this.nonce,
      iat: now,
      exp: now + 60,
      team: 'data',
    };
    return { header: { alg: 'RS256', kid: this.key.kid, typ: 'JWT' }, claims, key: this.key };
  }
}

export function json(response: ServerResponse, body: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
