import assert from 'node:assert/strict';
import { answered, type Call, type CallResult, callAzure, TASK_NODES } from '../../support/azure-client.ts';
import {
  NEW_VERSION,
  OLD_VERSION,
  STRANGER_CLIENT,
  type StartedJob,
  sampleDeclaration,
  startJob,
  TENANT,
  VAULT,
  WORKFLOW_CLIENT,
} from '../../support/local-azure.ts';

for (const node of TASK_NODES) {
  describe(`local Key Vault, read by @azure/keyvault-secrets on ${node.name}`, () => {
    let job: StartedJob;
    before(async () => {
      const many = Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`bulk-${i}`, `value ${i}`]));
      const declaration = sampleDeclaration();
      job = await startJob({
        ...declaration,
        vaults: [...(declaration.vaults ?? []), { name: 'crowded', secrets: many }],
        roleAssignments: [
          ...(declaration.roleAssignments ?? []),
          { identity: 'workflows', role: 'Key Vault Reader', vault: 'crowded' },
        ],
      });
    });
    after(() => job.azure.close());

    const as = (connection: string, client: string, call: Call): Call => ({
      vault: VAULT,
      ...call,
      tenant: TENANT,
      client,
      connection: job.connection(connection),
      accessToken: job.accessToken,
    });
    const workflows = (call: Call): Call => as('azure', WORKFLOW_CLIENT, call);
    const ask = (...calls: Call[]): Promise<CallResult[]> =>
      callAzure(job.azure, calls, { node: node.path, env: { SYSTEM_OIDCREQUESTURI: job.oidcRequestUri } });
    const get = (name: string, more: object = {}): Call => workflows({ op: 'secret', name, ...more });
    const problem = ({ error }: CallResult) => [error?.status, error?.code, error?.inner];

    it('gives the latest version, a named version and all versions', async () => {
      const [latest, old, versions] = await ask(
        get('api-key'),
        get('API-KEY', { version: OLD_VERSION }),
        workflows({ op: 'versions', name: 'api-key' }),
      );
      const enabled = { enabled: true };
      assert.deepEqual(latest?.ok, {
        value: 'new',
        name: 'api-key',
        version: NEW_VERSION,
        ...enabled,
        contentType: 'text/plain',
        tags: { owner: 'data' },
      });
      assert.deepEqual(old?.ok, { value: 'old', name: 'api-key', version: OLD_VERSION, ...enabled, tags: {} });
      assert.deepEqual(
        answered<{ version: string }[]>(versions)
          .map(({ version }) => version)
          .sort(),
        [OLD_VERSION, NEW_VERSION],
      );
    });

    it('keeps every character of a value', async () => {
      const [result] = await ask(get('plain'));
      assert.equal(answered<{ value: string }>(result).value, 'grün');
    });

    it('reads expired and not yet valid secrets, whose attributes say so', async () => {
      const [expired, future] = await ask(get('expired'), get('future'));
      assert.equal(answered<{ expiresOn: string }>(expired).expiresOn, '2020-01-01T00:00:00.000Z');
      assert.equal(answered<{ notBefore: string }>(future).notBefore, '2099-01-01T00:00:00.000Z');
    });

    it('tells unknown, deleted, disabled and badly named secrets apart', async () => {
      const results = await ask(
        get('nope'),
        get('gone'),
        get('api-key', { version: 'f'.repeat(32) }),
        get('disabled'),
        get('bad_name'),
      );
      assert.deepEqual(results.map(problem), [
        [404, 'SecretNotFound', undefined],
        [404, 'SecretNotFound', undefined],
        [404, 'SecretNotFound', undefined],
        [403, 'Forbidden', 'SecretDisabled'],
        [400, 'BadParameter', undefined],
      ]);
    });

    it('lists the names of live secrets without values, page after page', async () => {
      const [mine, crowded] = await ask(
        workflows({ op: 'secrets' }),
        workflows({ op: 'secrets', vault: 'https://crowded.vault.azure.net' }),
      );
      const names = answered<{ name: string }[]>(mine).map(({ name }) => name);
      assert.deepEqual(names.sort(), ['api-key', 'disabled', 'expired', 'future', 'plain']);
      assert.equal(answered<unknown[]>(crowded).length, 30);
    });

    it('forbids by role, by access policy and by firewall, each by its own name', async () => {
      const results = await ask(
        as('stranger', STRANGER_CLIENT, { op: 'secret', name: 'plain' }),
        workflows({ op: 'secret', name: 'bulk-1', vault: 'https://crowded.vault.azure.net' }),
        workflows({ op: 'setSecret', name: 'plain', value: 'x' }),
        as('stranger', STRANGER_CLIENT, { op: 'secret', name: 'plain', vault: 'https://policyvault.vault.azure.net' }),
        workflows({ op: 'secrets', vault: 'https://policyvault.vault.azure.net' }),
        workflows({ op: 'secret', name: 'plain', vault: 'https://walled.vault.azure.net' }),
        workflows({ op: 'secret', name: 'plain', vault: 'https://policyvault.vault.azure.net' }),
      );
      assert.deepEqual(results.slice(0, 6).map(problem), [
        [403, 'Forbidden', 'ForbiddenByRbac'],
        [403, 'Forbidden', 'ForbiddenByRbac'],
        [403, 'Forbidden', 'ForbiddenByRbac'],
        [403, 'Forbidden', 'AccessDenied'],
        // The SDK's list operations lose the inner code.
        [403, 'Forbidden', undefined],
        [403, 'Forbidden', 'ForbiddenByFirewall'],
      ]);
      assert.equal(answered<{ value: string }>(results[6]).value, 'by policy');
    });

    it('gives a machine the secrets of its managed identity and no others', async () => {
      const { managedIdentity } = job.azure;
      assert.ok(managedIdentity);
      const calls = ['plain', 'api-key'].map((name) => ({ op: 'secret', vault: VAULT, name, managedIdentity: true }));
      const env = { IDENTITY_ENDPOINT: managedIdentity.endpoint, IDENTITY_HEADER: managedIdentity.header };
      const [plain, other] = await callAzure(job.azure, calls, { node: node.path, env });
      assert.equal((plain?.ok as { value: string } | undefined)?.value, 'grün', plain?.error?.message);
      assert.deepEqual(problem(other ?? {}), [403, 'Forbidden', 'ForbiddenByRbac']);
    });

    it('records what was read by name, never a value or a token', async () => {
      await ask(get('plain'));
      const text = JSON.stringify(job.azure.exchanges());
      assert.match(text, /\/secrets\/plain/);
      assert.doesNotMatch(text, /grün|eyJ/);
    });
  });
}

describe('a throttled or broken local Key Vault', () => {
  const call = (job: StartedJob): Call => ({
    op: 'secret',
    name: 'plain',
    vault: VAULT,
    tenant: TENANT,
    client: WORKFLOW_CLIENT,
    connection: job.connection('azure'),
    accessToken: job.accessToken,
  });
  const faulty = async (faults: Parameters<typeof sampleDeclaration>[0], retries: number) => {
    const job = await startJob(sampleDeclaration(faults));
    try {
      const results = await callAzure(job.azure, [{ ...call(job), retries }], {
        env: { SYSTEM_OIDCREQUESTURI: job.oidcRequestUri },
      });
      return {
        result: results[0] ?? {},
        exchanges: job.azure.exchanges().filter(({ host }) => host === 'myvault.vault.azure.net'),
      };
    } finally {
      await job.azure.close();
    }
  };
  const vault = { host: '*.vault.azure.net', path: '/secrets/*' };

  it('answers 429 with Retry-After as often as declared', async () => {
    const { result, exchanges } = await faulty(
      { faults: [{ ...vault, kind: 'status', status: 429, retryAfter: 0, count: 2 }] },
      3,
    );
    assert.equal((result.ok as { value: string } | undefined)?.value, 'grün', result.error?.message);
    assert.deepEqual(
      exchanges.map(({ status, fault }) => [status, fault]),
      [
        [429, true],
        [429, true],
        [401, false],
        [200, false],
      ],
    );
  });

  it('gives the vendor’s error document when it never recovers', async () => {
    const { result } = await faulty({ faults: [{ ...vault, kind: 'status', status: 429, retryAfter: 0 }] }, 1);
    assert.deepEqual([result.error?.status, result.error?.code], [429, 'Throttled']);
  });

  it('resets the connection in the middle of the conversation', async () => {
    const { result, exchanges } = await faulty({ faults: [{ ...vault, kind: 'reset', skip: 1 }] }, 0);
    assert.match(result.error?.message ?? '', /ECONNRESET|socket hang up|disconnected/i);
    assert.deepEqual(
      exchanges.map(({ status }) => status),
      [401, 0],
    );
  });

  it('delays an answer', async () => {
    const { result, exchanges } = await faulty(
      { faults: [{ ...vault, kind: 'latency', delayMs: 300, skip: 1, count: 1 }] },
      0,
    );
    assert.ok(result.ok);
    assert.deepEqual(
      exchanges.map(({ status }) => status),
      [401, 200],
    );
  });
});

describe('local Azure in a national cloud', () => {
  it('serves its own hosts, issuers and resource', async () => {
    const declaration = sampleDeclaration();
    const [workflows] = declaration.identities ?? [];
    assert.ok(workflows);
    const job = await startJob({
      organization: declaration.organization,
      project: declaration.project,
      tenants: [{ id: TENANT, cloud: 'AzureUSGovernment' }],
      identities: [{ ...workflows, federatedCredentials: [{ connection: 'azure' }] }],
      connections: [{ name: 'azure', scheme: 'WorkloadIdentityFederation', identity: 'workflows' }],
      vaults: [{ name: 'myvault', secrets: { plain: 'far away' } }],
      roleAssignments: [{ identity: 'workflows', role: 'Key Vault Secrets User', vault: 'myvault' }],
    });
    try {
      const [connection] = job.azure.connections();
      assert.equal(connection?.data['AzureKeyVaultDnsSuffix'], 'vault.usgovcloudapi.net');
      assert.match(connection?.parameters['workloadIdentityFederationSubject'] ?? '', /^sc:\/\/fabrikam\/demo\/azure$/);
      const call = {
        op: 'secret',
        name: 'plain',
        vault: 'https://myvault.vault.usgovcloudapi.net',
        tenant: TENANT,
        client: WORKFLOW_CLIENT,
        connection: job.connection('azure'),
        accessToken: job.accessToken,
      };
      const env = {
        SYSTEM_OIDCREQUESTURI: job.oidcRequestUri,
        AZURE_AUTHORITY_HOST: 'https://login.microsoftonline.us',
      };
      const [result] = await callAzure(job.azure, [call], { env });
      assert.equal((result?.ok as { value: string } | undefined)?.value, 'far away', result?.error?.message);
    } finally {
      await job.azure.close();
    }
  });
});
