import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { type Clock, systemClock } from '#core/clock.ts';
import { connectionIdentity } from '#identity/connection-identity.ts';
import type { AzureDeclaration } from '#local-azure/declaration.ts';
import { type AgentJob, agentJob, type ConnectionChange } from '../support/agent-job.ts';
import { JOB, type StartedJob, sampleDeclaration, startJob, TENANT, WORKFLOW_CLIENT } from '../support/local-azure.ts';
import { failure } from '../support/plumbline-failure.ts';

const SCOPE = 'https://vault.azure.net/.default';

function asked(job: StartedJob, path: RegExp): number {
  return job.azure.exchanges().filter((exchange) => path.test(exchange.path)).length;
}

/** Real time without the waits between attempts. */
const impatient: Clock = { now: systemClock.now, sleep: async () => undefined };

interface JobOptions {
  readonly declaration?: Partial<AzureDeclaration>;
  readonly names?: readonly string[];
}

async function inJob({ declaration, ...options }: JobOptions, work: (job: StartedJob) => Promise<void>): Promise<void> {
  const job = await startJob(sampleDeclaration(declaration), options);
  try {
    await work(job);
  } finally {
    await job.azure.close();
  }
}

describe('identity of a service connection, against a strict Entra ID', () => {
  let job: StartedJob;
  let agent: AgentJob;

  before(async () => {
    job = await startJob();
    agent = agentJob(job);
  });
  after(() => job.azure.close());

  it('gets a token with one OIDC request and one exchange, through proxy and private CA', async () => {
    const before = [asked(job, /oidctoken/), asked(job, /oauth2/)];
    const { token, expiresAt } = await agent.identity('azure').token(SCOPE);
    assert.equal(token.reveal().split('.').length, 3);
    assert.ok(expiresAt > Date.now() + 600_000);
    assert.deepEqual(
      [asked(job, /oidctoken/), asked(job, /oauth2/)],
      before.map((count) => count + 1),
    );
  });

  it('works for connections whose tokens Azure DevOps issues too', async () => {
    assert.ok(await agent.identity('azure-old').token(SCOPE));
  });

  it('masks ID token and access token as they arrive', async () => {
    const own = agentJob(job);
    const { token } = await own.identity('azure').token(SCOPE);
    assert.equal(own.masked.length, 2);
    assert.equal(own.masked[1], token.reveal());
  });

  it('asks once for callers at the same time and keeps the token for each scope', async () => {
    const identity = agent.identity('azure');
    const before = asked(job, /oauth2/);
    await Promise.all([
      identity.token(SCOPE),
      identity.token(SCOPE),
      identity.token('https://management.azure.com/.default'),
    ]);
    await identity.token(SCOPE);
    assert.equal(asked(job, /oauth2/), before + 2);
  });

  it('refuses a connection with a stored secret and says how to convert it', () => {
    assert.throws(
      () => agent.identity('stored'),
      failure('ERR_CONNECTION_STORED_SECRET', /stores a secret/, /Convert/),
    );
    const certificate = { parameters: { authenticationType: 'spnCertificate' } };
    assert.throws(
      () => agent.identity('stored', certificate),
      failure('ERR_CONNECTION_STORED_SECRET', /a certificate/),
    );
  });

  it('refuses a scheme, a cloud and an authority that it does not know', () => {
    const refused: [ConnectionChange, string, RegExp][] = [
      [{ scheme: 'Token' }, 'ERR_CONNECTION_UNSUPPORTED', /scheme is 'Token'/],
      [{ data: { environment: 'AzureStack' } }, 'ERR_CONNECTION_UNSUPPORTED', /environment is 'AzureStack'/],
      [{ parameters: { tenantid: '' } }, 'ERR_CONNECTION_UNSUPPORTED', /no 'tenantid'/],
      [{ data: { activeDirectoryAuthority: 'https://login.evil.example/' } }, 'ERR_IDENTITY_HOST_NOT_ALLOWED', /evil/],
      [
        { data: { activeDirectoryAuthority: 'http://login.microsoftonline.com/' } },
        'ERR_IDENTITY_HOST_NOT_ALLOWED',
        /http:/,
      ],
      [{ data: { environment: 'AzureUSGovernment' } }, 'ERR_IDENTITY_HOST_NOT_ALLOWED', /not Entra ID of its cloud/],
    ];
    for (const [change, code, message] of refused)
      assert.throws(() => agent.identity('azure', change), failure(code, message));
  });

  it('names issuer, subject and audience and the remedy when no credential matches', async () => {
    const refused: [string, ConnectionChange, RegExp, RegExp][] = [
      [
        'stranger',
        { parameters: { serviceprincipalid: WORKFLOW_CLIENT } },
        /subject '\/eid1\/.*AADSTS700213/,
        /exactly as shown/,
      ],
      [
        'azure',
        { parameters: { serviceprincipalid: '00000000-0000-4000-8000-000000000000' } },
        /AADSTS700016/,
        /client id/,
      ],
      ['azure', { parameters: { tenantid: '00000000-0000-4000-8000-000000000000' } }, /AADSTS90002/, /tenant id/],
    ];
    for (const [name, change, message, remedy] of refused) {
      const own = agentJob(job);
      await assert.rejects(own.identity(name, change).token(SCOPE), (thrown) => {
        failure('ERR_IDENTITY_REJECTED', message, remedy)(thrown);
        assert.match((thrown as Error).message, /issuer 'https:\/\/login\.microsoftonline\.com\/.*audience '/);
        assert.doesNotMatch(inspect(thrown, { depth: 20, showHidden: true }), /eyJ/, 'no token anywhere in the error');
        return true;
      });
    }
  });

  it('says what is wrong when the stage does not name the connection', async () => {
    await inJob({ names: ['azure'] }, async (other) => {
      await assert.rejects(
        agentJob(other).identity('stranger').token(SCOPE),
        failure(
          'ERR_IDENTITY_OIDC_UNAVAILABLE',
          /answered 400 \('There is no explicit reference/,
          /Name the connection/,
        ),
      );
    });
  });

  it("says that the job's own token is no longer accepted", async () => {
    await inJob({}, async (other) => {
      other.azure.endJob(JOB);
      await assert.rejects(
        agentJob(other).identity('azure').token(SCOPE),
        failure('ERR_IDENTITY_OIDC_UNAVAILABLE', /answered 401/, /job's own token/),
      );
    });
  });

  it('says so when the assertion expires on the way', async () => {
    const faults = [{ host: 'login.microsoftonline.com', kind: 'latency', delayMs: 1_200 }] as const;
    await inJob({ declaration: { faults, lifetimes: { idToken: 1 } } }, async (other) => {
      await assert.rejects(
        agentJob(other).identity('azure-old').token(SCOPE),
        failure(
          'ERR_IDENTITY_REJECTED',
          /issuer 'https:\/\/vstoken.*subject 'sc:\/\/fabrikam\/demo\/azure-old'.*AADSTS700024/,
          /clock/,
        ),
      );
    });
  });

  it('tries again when Entra ID or Azure DevOps is throttled or breaks off', async () => {
    const faults = [
      { host: 'login.microsoftonline.com', kind: 'status', status: 503, count: 2 },
      { host: 'dev.azure.com', path: '*oidctoken*', kind: 'status', status: 429, retryAfter: 2, count: 1 },
      { host: 'dev.azure.com', path: '*oidctoken*', kind: 'reset', skip: 1, count: 1 },
    ] as const;
    await inJob({ declaration: { faults } }, async (other) => {
      assert.ok(await agentJob(other, impatient).identity('azure').token(SCOPE));
    });
  });

  it('calls a server that is not well by its name, not a refusal', async () => {
    const faults = [{ host: 'login.microsoftonline.com', kind: 'status', status: 503 }] as const;
    await inJob({ declaration: { faults } }, async (other) => {
      await assert.rejects(
        agentJob(other, impatient).identity('azure').token(SCOPE),
        failure('ERR_HTTP_STATUS', /^POST https:\/\/login\.microsoftonline\.com\/.*HTTP 503$/),
      );
    });
  });

  it('renews the token before it expires', async () => {
    await inJob({ declaration: { lifetimes: { accessToken: 4 } } }, async (other) => {
      const identity = agentJob(other).identity('azure');
      const first = await identity.token(SCOPE);
      let next = first;
      for (; asked(other, /oauth2/) < 2; next = await identity.token(SCOPE)) await systemClock.sleep(20);
      assert.ok(Date.now() < first.expiresAt);
      assert.notEqual(next.token.reveal(), first.token.reveal());
    });
  });

  it('tells the issuer, audience and subject of a credential apart', async () => {
    const declared = (credential: { issuer: string; subject: string; audience?: string }) => ({
      identities: [{ name: 'workflows', clientId: WORKFLOW_CLIENT, federatedCredentials: [credential] }],
      connections: [
        {
          name: 'azure',
          scheme: 'WorkloadIdentityFederation',
          identity: 'workflows',
          issuerType: 'AzureDevOps',
        } as const,
      ],
      machineIdentities: [],
      vaults: [],
      roleAssignments: [],
    });
    const issuer = agent.connection('azure-old').parameter('workloadIdentityFederationIssuer') ?? '';
    const subject = 'sc://fabrikam/demo/azure';
    const cases: [{ issuer: string; subject: string; audience?: string }, RegExp, RegExp][] = [
      [{ issuer: 'https://token.actions.githubusercontent.com', subject }, /AADSTS700211/, /has this issuer/],
      [{ issuer, subject, audience: 'api://other' }, /AADSTS700212/, /api:\/\/AzureADTokenExchange/],
      [{ issuer, subject: 'sc://fabrikam/demo/Azure' }, /AADSTS700213/, /case matters/],
    ];
    for (const [credential, message, remedy] of cases) {
      await inJob({ declaration: declared(credential) }, async (other) => {
        await assert.rejects(
          agentJob(other).identity('azure').token(SCOPE),
          failure('ERR_IDENTITY_REJECTED', message, remedy),
        );
      });
    }
  });

  it('refuses an OIDC address elsewhere before it sends the token there', async () => {
    const before = job.azure.exchanges().length;
    for (const uri of [
      'https://evil.example/oidc',
      'http://dev.azure.com/oidc',
      'https://dev.azure.com.evil.example/',
      'https://evildev.azure.com:444/',
    ]) {
      const identity = connectionIdentity(agent.connection('azure'), { ...agent, variable: () => uri });
      await assert.rejects(identity.token(SCOPE), failure('ERR_IDENTITY_HOST_NOT_ALLOWED', /not this Azure DevOps/));
    }
    assert.equal(job.azure.exchanges().length, before);
    const none = connectionIdentity(agent.connection('azure'), { ...agent, variable: () => undefined });
    await assert.rejects(none.token(SCOPE), failure('ERR_IDENTITY_OIDC_UNAVAILABLE', /System\.OidcRequestUri/));
  });

  it('knows whom it speaks for', () => {
    const identity = agent.identity('azure');
    assert.deepEqual([identity.kind, identity.tenantId, identity.clientId], ['federated', TENANT, WORKFLOW_CLIENT]);
  });
});
