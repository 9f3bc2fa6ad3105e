import type { IncomingMessage, ServerResponse } from 'node:http';
import { issuerDefaults } from '#gateway/auth/issuer-defaults.ts';
import type { IssuerSettings } from '#gateway/auth/issuer-settings.ts';
import { type Loopback, serve } from './loopback.ts';
import { type Claims, signed, type TestKey } from './test-issuer.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** An issuer on this machine whose documents a test chooses from one request to the next. */
export interface KeyServer {
  readonly url: string;
  readonly settings: IssuerSettings;
  /** Keys that it publishes now. */
  keys: readonly Claims[];
  /** Instead of its discovery document. */
  discovery: Answer | undefined;
  /** Instead of its keys. */
  jwks: Answer | undefined;
  /** Paths that were asked for. */
  readonly asked: string[];
  /** A token of it, good for five minutes at `now`. */
  token(key: TestKey, now: number, claims?: Claims): string;
  close(): Promise<void>;
}

export async function startKeyServer(name: string, keys: readonly TestKey[]): Promise<KeyServer> {
  const asked: string[] = [];
  const answer: Answer = (request, response) => {
    const { url = '' } = request;
    asked.push(url);
    if (url === '/.well-known/openid-configuration')
      return server.discovery ? server.discovery(request, response) : response.end(document(server.url));
    if (url === '/keys') return server.jwks ? server.jwks(request, response) : response.end(set(server.keys));
    return response.writeHead(404).end();
  };
  const loopback: Loopback = await serve(answer);
  const server: KeyServer = {
    url: loopback.url,
    settings: {
      name,
      profile: 'oidc',
      issuer: loopback.url,
      audiences: ['gateway'],
      ...issuerDefaults('oidc'),
      algorithms: ['RS256', 'ES256'],
    },
    keys: keys.map(({ jwk }) => jwk as Claims),
    discovery: undefined,
    jwks: undefined,
    asked,
    token: (key, now, claims = {}) => {
      const iat = now / 1_000;
      const standard = { iss: loopback.url, aud: 'gateway', sub: 'somebody', iat, exp: iat + 300 };
      return signed({ alg: key.alg, kid: key.kid }, { ...standard, ...claims }, key);
    },
    close: () => loopback.close(),
  };
  return server;
}

function document(issuer: string): string {
  return JSON.stringify({ issuer, jwks_uri: `${issuer}/keys` });
}

function set(keys: readonly Claims[]): string {
  return JSON.stringify({ keys });
}
