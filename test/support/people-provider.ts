import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair } from 'jose';
import Provider, { type Configuration } from 'oidc-provider';

export interface PeopleProviderOptions {
  readonly redirectUri: string;
  /** Claims of each person, by the name with which they log in. */
  readonly people: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Absent: a public client. */
  readonly secret?: string;
  /** A free one when left out. */
  readonly port?: number;
}

export const CLIENT_ID = 'plumbline';

/** A real OpenID provider on loopback, at which people log in by a form: name only, and they consent to everything. */
export class PeopleProvider {
  readonly url: string;
  readonly #server: Server;

  private constructor(url: string, server: Server) {
    this.url = url;
    this.#server = server;
  }

  static async start(options: PeopleProviderOptions): Promise<PeopleProvider> {
    const server = createServer();
    await new Promise<void>((done) => server.listen(options.port ?? 0, '127.0.0.1', done));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const provider = new Provider(url, await configuration(options));
    const callback = provider.callback();
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      if (request.url?.startsWith('/login/')) void login(provider, request, response);
      else callback(request, response);
    });
    return new PeopleProvider(url, server);
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((done) => this.#server.close(() => done()));
  }
}

async function configuration({ redirectUri, people, secret }: PeopleProviderOptions): Promise<Configuration> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const names = new Set(Object.values(people).flatMap((claims) => Object.keys(claims)));
  return {
    clients: [
      {
        client_id: CLIENT_ID,
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code'],
        response_types: ['code'],
        ...(secret === undefined ? { token_endpoint_auth_method: 'none' } : { client_secret: secret }),
      },
    ],
    jwks: { keys: [{ ...(await exportJWK(privateKey)), kid: 'people', alg: 'RS256', use: 'sig' }] },
    cookies: { keys: ['of a test'] },
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false }, rpInitiatedLogout: { enabled: false } },
    claims: { openid: ['sub'], profile: [...names] },
    // Claims that a policy asks for are in the ID token, as at Entra, GitLab and Keycloak.
    conformIdTokenClaims: false,
    findAccount: (_, sub) => {
      const claims = people[sub];
      return claims && { accountId: sub, claims: () => ({ sub, ...claims }) };
    },
    interactions: { url: (_, { uid }) => `/login/${uid}` },
    // Whoever logs in consents.
    loadExistingGrant: async ({ oidc: { provider, client, session } }) => {
      const grant = new provider.Grant({ clientId: client?.clientId, accountId: session?.accountId });
      grant.addOIDCScope('openid profile email');
      await grant.save();
      return grant;
    },
    ttl: { Interaction: 600, Session: 3_600, Grant: 3_600, AuthorizationCode: 60, AccessToken: 60, IdToken: 60 },
  };
}

const FORM =
  '<!doctype html><title>Log in</title><form method="post"><input name="login" autofocus><button>Log in</button></form>' +
  '<form method="post"><button name="abort" value="1">No</button></form>';

async function login(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method !== 'POST') return void response.writeHead(200, { 'content-type': 'text/html' }).end(FORM);
  let body = '';
  for await (const part of request) body += String(part);
  const form = new URLSearchParams(body);
  const result = form.has('abort')
    ? { error: 'access_denied', error_description: 'The person went back' }
    : { login: { accountId: form.get('login') ?? '' } };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}
