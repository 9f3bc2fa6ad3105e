import assert from 'node:assert/strict';
import { gatewayIdentity } from '#identity/gateway-identity.ts';
import type { AzureDeclaration } from '#local-azure/declaration.ts';
import { type AgentJob, agentJob, type ConnectionChange } from '../support/agent-job.ts';
import { type StartedJob, sampleDeclaration, startJob, WORKFLOW_CLIENT } from '../support/local-azure.ts';
import { failure } from '../support/plumbline-failure.ts';

const URL_OF_GATEWAY = 'https://plumbline.example.com';

/** The sample, with a connection to a gateway of each scheme; the application `workflows` trusts the one with federation. */
function declaration(more: Partial<AzureDeclaration> = {}): AzureDeclaration {
  const sample = sampleDeclaration();
  return {
    ...sample,
    identities: (sample.identities ?? []).map((identity) =>
      identity.name === 'workflows'
        ? { ...identity, federatedCredentials: [...(identity.federatedCredentials ?? []), { connection: 'gateway' }] }
        : identity,
    ),
    connections: [
      ...(sample.connections ?? []),
      {
        name: 'gateway',
        type: 'plumbline-gateway',
        url: URL_OF_GATEWAY,
        scheme: 'WorkloadIdentityFederation',
        identity: 'workflows',
        data: { audience: 'api://plumbline-gateway' },
      },
      { name: 'pipeline', type: 'plumbline-gateway', url: `${URL_OF_GATEWAY}/base/`, scheme: 'None' },
    ],
    ...more,
  };
}

function claims(token: string | undefined): Record<string, unknown> {
  return JSON.parse(Buffer.from(token?.split('.')[1] ?? '', 'base64url').toString('utf8')) as Record<string, unknown>;
}

const bearer = (headers: Readonly<Record<string, string>>) => headers['authorization']?.replace(/^Bearer /, '');

describe('the identity towards a gateway', () => {
  let started: StartedJob;
  let job: AgentJob;
  before(async () => {
    started = await startJob(declaration());
    job = agentJob(started);
  });
  after(() => started.azure.close());

  const identity = (name: string, change?: ConnectionChange & { url?: string }) => {
    const connection = job.connection(name, change);
    return gatewayIdentity(change?.url === undefined ? connection : { ...connection, url: change.url }, job);
  };

  it('is, with federation, an access token for the gateway, and beside it what the pipeline signs of its run', async () => {
    const { kind, url, federated, headers } = identity('gateway');
    assert.deepEqual([kind, url, federated?.clientId], ['entra', URL_OF_GATEWAY, WORKFLOW_CLIENT]);
    const first = await headers();
    const access = claims(bearer(first));
    assert.deepEqual([access['azp'] ?? access['appid'], access['idtyp']], [WORKFLOW_CLIENT, 'app']);
    const facts = claims(first['plumbline-run-facts']);
    assert.equal(facts['sub'], 'p://fabrikam/demo/nightly');
    assert.deepEqual([facts['def_id'], facts['run_id'], facts['rpo_ref']], ['7', '42', 'refs/pull/12/merge']);
  });

  it("never hands the gateway the connection's own ID token, which is the connection", async () => {
    const headers = await identity('gateway').headers();
    for (const token of [bearer(headers), headers['plumbline-run-facts']]) {
      assert.doesNotMatch(String(claims(token)['sub']), /\/sc\/|^sc:/);
    }
  });

  it('uses an access token again, and the facts only once', async () => {
    const { headers } = identity('gateway');
    const [first, second] = [await headers(), await headers()];
    assert.equal(first['authorization'], second['authorization']);
    assert.notEqual(claims(first['plumbline-run-facts'])['jti'], claims(second['plumbline-run-facts'])['jti']);
  });

  it("is, without a scheme, the pipeline's own token, a new one for each use", async () => {
    const { kind, url, federated, headers } = identity('pipeline');
    assert.deepEqual([kind, url, federated], ['pipeline', `${URL_OF_GATEWAY}/base`, undefined]);
    const [first, second] = [await headers(), await headers()];
    assert.deepEqual(Object.keys(first), ['authorization']);
    assert.equal(claims(bearer(first))['sub'], 'p://fabrikam/demo/nightly');
    assert.notEqual(claims(bearer(first))['jti'], claims(bearer(second))['jti']);
  });

  it('masks every token before anybody sees it', async () => {
    const headers = await identity('gateway').headers();
    for (const token of [bearer(headers) ?? '', headers['plumbline-run-facts'] ?? '']) {
      assert.ok(token.length > 100 && job.masked.includes(token));
    }
  });

  for (const url of [
    'http://plumbline.example.com',
    'ftp://plumbline.example.com',
    'https://user:hunter2@plumbline.example.com',
    'https://plumbline.example.com/?token=hunter2',
    'http://localhost.example.com',
    'http://127.0.0.1.example.com',
    'plumbline',
  ]) {
    it(`sends no token to ${url}`, () => {
      assert.throws(
        () => identity('gateway', { url }),
        (error: unknown) => {
          failure('ERR_CONNECTION_UNSUPPORTED', /its URL/)(error);
          return !String(error).includes('hunter2');
        },
      );
    });
  }

  for (const url of ['http://localhost:8080', 'http://127.0.0.1:8080/', 'http://[::1]:8080']) {
    it(`takes ${url}, which is this machine`, () => {
      assert.equal(identity('pipeline', { url }).url, url.replace(/\/$/, ''));
    });
  }

  for (const audience of ['https://vault.azure.net', 'https://management.azure.com/', 'api:// x', '']) {
    it(`asks for no token for '${audience}'`, () => {
      assert.throws(
        () => identity('gateway', { data: { audience } }),
        failure('ERR_CONNECTION_UNSUPPORTED', /'audience'/),
      );
    });
  }

  for (const scheme of ['Token', 'UsernamePassword', 'ServicePrincipal', 'ManagedServiceIdentity']) {
    it(`refuses the scheme ${scheme}`, () => {
      assert.throws(() => identity('gateway', { scheme }), failure('ERR_CONNECTION_UNSUPPORTED', new RegExp(scheme)));
    });
  }

  it('names the connection when Entra ID refuses it', async () => {
    const headers = identity('gateway', { data: { audience: 'api://another-gateway' } }).headers();
    await assert.rejects(headers, failure('ERR_IDENTITY_REJECTED', /AADSTS500011/));
  });
});
