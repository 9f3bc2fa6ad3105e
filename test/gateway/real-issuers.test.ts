import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import Provider from 'oidc-provider';
import { systemClock } from '#core/clock.ts';
import type { Authenticator } from '#gateway/auth/authenticator.ts';
import { factsOf, type ProfileName } from '#gateway/auth/caller.ts';
import { createAuthenticator } from '#gateway/auth/create-authenticator.ts';
import { issuerDefaults } from '#gateway/auth/issuer-defaults.ts';
import type { IssuerSettings } from '#gateway/auth/issuer-settings.ts';
import { createHttp, type Http } from '#http/http.ts';
import { assertRefused } from '../support/assert-refused.ts';
import { RUN, type StartedJob, startJob, TENANT, WORKFLOW_CLIENT } from '../support/local-azure.ts';

const GATEWAY_CLIENT = '55555555-8888-4777-8666-555555555555';
const EXCHANGE = 'api://AzureADTokenExchange';

function issuer(
  name: string,
  profile: ProfileName,
  settings: Pick<IssuerSettings, 'issuer' | 'audiences'> & Partial<IssuerSettings>,
): IssuerSettings {
  return { name, profile, ...issuerDefaults(profile), ...settings };
}

describe('tokens of real issuers', () => {
  const open: { close(): unknown }[] = [];
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each.close();
  });
  const authenticate = (http: Http, issuers: readonly IssuerSettings[]): Authenticator => {
    const authenticator = createAuthenticator(issuers, { http, clock: systemClock });
    open.push(authenticator);
    return authenticator;
  };

  it('oidc-provider: its access token for the gateway is taken, by discovery alone', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push({ close: () => server.close() });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const provider = new Provider(url, {
      clients: [
        {
          client_id: 'etl',
          client_secret: 'a-test-secret',
          grant_types: ['client_credentials'],
          redirect_uris: [],
          response_types: [],
        },
      ],
      features: {
        clientCredentials: { enabled: true },
        devInteractions: { enabled: false },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: () => ({
            scope: '',
            audience: 'https://gateway.example.com',
            accessTokenFormat: 'jwt',
            accessTokenTTL: 600,
            jwt: { sign: { alg: 'RS256' } },
          }),
        },
      },
      jwks: { keys: [await privateJwk()] },
    });
    server.on('request', provider.callback());
    const http = createHttp({ skipVerification: false });
    const response = await http.request({
      method: 'POST',
      url: `${url}/token`,
      headers: {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: `Basic ${Buffer.from('etl:a-test-secret').toString('base64')}`,
      },
      body: 'grant_type=client_credentials&resource=https%3A%2F%2Fgateway.example.com',
    });
    const { access_token: text } = response.requireOk().json() as { access_token: string };

    const settings = issuer('own', 'oidc', {
      issuer: url,
      audiences: ['https://gateway.example.com'],
      use: 'untilExpiry',
    });
    const caller = await authenticate(http, [settings]).authenticate({ bearer: text });
    assert.deepEqual(
      [caller.subject, caller.audience, caller.use],
      ['etl', 'https://gateway.example.com', 'untilExpiry'],
    );
    // It is marked as an access token, and no ID token.
    await assertRefused(authenticate(http, [{ ...settings, use: 'once' }]), text, 'type');
    await assertRefused(authenticate(http, [{ ...settings, audiences: [url] }]), text, 'audience');
  });

  describe('Azure, under its production names', () => {
    let job: StartedJob;
    let http: Http;
    before(async () => {
      job = await startJob();
      http = createHttp({
        skipVerification: false,
        caFile: job.azure.caFile,
        proxy: { url: job.azure.proxyUrl, bypass: [] },
      });
    });
    after(() => job.azure.close());

    async function idToken(connection?: string): Promise<string> {
      const query = connection === undefined ? '' : `&serviceConnectionId=${job.connection(connection)}`;
      const response = await http.request({
        method: 'POST',
        url: `${job.oidcRequestUri}?api-version=7.1${query}`,
        headers: { authorization: `Bearer ${job.accessToken}`, 'content-type': 'application/json' },
      });
      return (response.requireOk().json() as { oidcToken: string }).oidcToken;
    }

    async function accessToken(): Promise<string> {
      const form = new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: WORKFLOW_CLIENT,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        client_assertion: await idToken('azure'),
        scope: 'api://plumbline-gateway/.default',
      });
      const response = await http.request({
        method: 'POST',
        url: `https://login.microsoftonline.com/${TENANT}/oauth2/v2.0/token`,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: form.toString(),
      });
      return (response.requireOk().json() as { access_token: string }).access_token;
    }

    const organization = () => `https://vstoken.dev.azure.com/${job.azure.organization.id}`;
    const tenant = `https://login.microsoftonline.com/${TENANT}/v2.0`;
    const pipelines = (more: Partial<IssuerSettings> = {}) =>
      issuer('pipelines', 'azure-pipelines', { issuer: organization(), audiences: [EXCHANGE], ...more });
    const entra = () => issuer('entra', 'entra', { issuer: tenant, audiences: [GATEWAY_CLIENT] });

    it("a pipeline's own token: project, definition, run, repository, ref and commit", async () => {
      const caller = await authenticate(http, [pipelines()]).authenticate({ bearer: await idToken() });
      assert.deepEqual(caller.signed, {
        project: job.azure.project.id,
        pipeline: String(RUN.definitionId),
        run: String(RUN.buildId),
        repository: RUN.repository.id,
        ref: RUN.branch,
        commit: RUN.commit,
      });
      assert.equal(caller.use, 'once');
    });

    it('an Entra access token for the gateway, and the token of the run beside it', async () => {
      const authenticator = authenticate(http, [entra(), pipelines({ factsOnly: true })]);
      const [bearer, runFacts] = [await accessToken(), await idToken()];
      const alone = await authenticator.authenticate({ bearer });
      assert.deepEqual([alone.profile, alone.use, factsOf(alone)], ['entra', 'untilExpiry', {}]);
      const caller = await authenticator.authenticate({ bearer, runFacts });
      assert.equal(factsOf(caller).run, String(RUN.buildId));
      assert.notEqual(caller.scope, alone.scope);
    });

    it('tokens of service connections, only with `sharedAudience`, and never where another kind is expected', async () => {
      const [old, current] = [await idToken('azure-old'), await idToken('azure')];
      const shared = [
        issuer('old', 'azure-connection', { issuer: organization(), audiences: [EXCHANGE], sharedAudience: true }),
        issuer('current', 'azure-connection', {
          issuer: tenant,
          audiences: [EXCHANGE, 'fb60f99c-7a34-4190-8149-302f77469936'],
          sharedAudience: true,
        }),
      ];
      const authenticator = authenticate(http, shared);
      assert.match((await authenticator.verify(old)).subject, /^sc:\/\/fabrikam\/demo\/azure-old$/);
      assert.match((await authenticator.verify(current)).subject, /^\/eid1\//);
      await assertRefused(authenticate(http, [pipelines()]), old, 'subject');
      await assertRefused(authenticate(http, [entra()]), current, 'audience');
    });
  });
});

async function privateJwk(): Promise<Record<string, unknown>> {
  const { exportJWK, generateKeyPair } = await import('jose');
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: 'own', alg: 'RS256', use: 'sig' };
}
