import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { type Clock, systemClock } from '#core/clock.ts';
import { keyVault } from '#secrets/key-vault.ts';
import { type AgentJob, agentJob } from '../support/agent-job.ts';
import {
  NEW_VERSION,
  OLD_VERSION,
  type StartedJob,
  sampleDeclaration,
  startJob,
  VAULT,
} from '../support/local-azure.ts';
import { failure } from '../support/plumbline-failure.ts';

const impatient: Clock = { now: systemClock.now, sleep: async () => undefined };

describe('secrets of Key Vault, against a strict vault', () => {
  let job: StartedJob;
  let agent: AgentJob;

  before(async () => {
    job = await startJob();
    agent = agentJob(job, impatient);
  });
  after(() => job.azure.close());

  const vault = (address = VAULT, connection = 'azure', from = agent) =>
    keyVault({ address, identity: from.identity(connection), http: from.http, mask: from.mask });
  const read = (name: string, address = VAULT, connection = 'azure') => vault(address, connection).read([{ name }]);

  it('reads the newest version and says which one it was', async () => {
    const [secret] = await read('api-key');
    assert.deepEqual(
      [secret?.vault, secret?.name, secret?.version, secret?.value.reveal(), secret?.warnings],
      [VAULT, 'api-key', NEW_VERSION, 'new', []],
    );
  });

  it('reads a version by name', async () => {
    const [secret] = await vault().read([{ name: 'api-key', version: OLD_VERSION }]);
    assert.deepEqual([secret?.version, secret?.value.reveal()], [OLD_VERSION, 'old']);
  });

  it('reads several in the order asked for with one token, and masks each', async () => {
    const own = agentJob(job);
    const before = job.azure.exchanges().filter(({ path }) => path.includes('oauth2')).length;
    const names = ['plain', 'api-key', 'expired', 'plain', 'api-key', 'plain'];
    const secrets = await vault(VAULT, 'azure', own).read(names.map((name) => ({ name })));
    assert.deepEqual(
      secrets.map(({ name }) => name),
      names,
    );
    for (const value of ['grün', 'new', 'stale']) assert.ok(own.masked.includes(value));
    assert.equal(job.azure.exchanges().filter(({ path }) => path.includes('oauth2')).length, before + 1);
  });

  it('shows no value when a result is printed', async () => {
    const secrets = await read('plain');
    assert.doesNotMatch(inspect(secrets, { depth: 9 }) + JSON.stringify(secrets), /grün/);
  });

  it('asks nobody for nothing', async () => {
    const before = job.azure.exchanges().length;
    assert.deepEqual(await vault().read([]), []);
    assert.equal(job.azure.exchanges().length, before);
  });

  it('gives out an expired secret with a warning', async () => {
    const [secret] = await read('expired');
    assert.equal(secret?.value.reveal(), 'stale');
    assert.match(secret?.warnings[0] ?? '', /expired on 2020-01-01/);
  });

  it('tells not found, unknown version, deleted, disabled and not yet valid apart', async () => {
    await assert.rejects(
      read('nope'),
      failure('ERR_SECRET_NOT_FOUND', /secret 'nope' from .*no such secret$/, /recover/),
    );
    await assert.rejects(read('gone'), failure('ERR_SECRET_NOT_FOUND', /'gone'/));
    await assert.rejects(
      vault().read([{ name: 'api-key', version: 'f'.repeat(32) }]),
      failure('ERR_SECRET_NOT_FOUND', /'api-key\/f{32}'.*not in this version/),
    );
    await assert.rejects(read('disabled'), failure('ERR_SECRET_DISABLED', /is disabled/, /Enable it/));
    await assert.rejects(
      read('future'),
      failure('ERR_SECRET_NOT_YET_VALID', /not valid before 2099/, /activation date/),
    );
  });

  it('tells role, access policy and firewall apart', async () => {
    await assert.rejects(
      read('plain', VAULT, 'stranger'),
      failure('ERR_SECRET_FORBIDDEN', /client 77777777.* has no role/, /Key Vault Secrets User/),
    );
    const [allowed] = await read('plain', 'https://policyvault.vault.azure.net');
    assert.equal(allowed?.value.reveal(), 'by policy');
    await assert.rejects(
      read('plain', 'https://policyvault.vault.azure.net', 'stranger'),
      failure('ERR_SECRET_FORBIDDEN', /no access policy/, /does not use roles/),
    );
    await assert.rejects(
      read('plain', 'https://walled.vault.azure.net'),
      failure('ERR_SECRET_FORBIDDEN', /firewall .*203\.0\.113\.7/, /networking/),
    );
  });

  it('says that a vault cannot be reached', async () => {
    await assert.rejects(
      read('plain', 'https://elsewhere.vault.azure.net'),
      failure('ERR_VAULT_UNREACHABLE', /Cannot reach https:\/\/elsewhere\.vault\.azure\.net: .*proxy answered 403/),
    );
  });

  it('waits when it is throttled, then says so; and tells a server that is not well from a refusal', async () => {
    const faults = [
      { host: 'myvault.vault.azure.net', path: '*api-key*', kind: 'status', status: 429, retryAfter: 1, count: 2 },
      { host: 'myvault.vault.azure.net', path: '*plain*', kind: 'status', status: 429, retryAfter: 1 },
      { host: 'myvault.vault.azure.net', path: '*expired*', kind: 'status', status: 503 },
    ] as const;
    const other = await startJob(sampleDeclaration({ faults }));
    try {
      const own = agentJob(other, impatient);
      const client = vault(VAULT, 'azure', own);
      assert.equal((await client.read([{ name: 'api-key' }]))[0]?.value.reveal(), 'new');
      await assert.rejects(client.read([{ name: 'plain' }]), failure('ERR_VAULT_THROTTLED', /429/));
      await assert.rejects(client.read([{ name: 'expired' }]), failure('ERR_VAULT_UNREACHABLE', /503/));
    } finally {
      await other.azure.close();
    }
  });

  it('passes on what the identity is refused for', async () => {
    const identity = agent.identity('azure', {
      parameters: { serviceprincipalid: '00000000-0000-4000-8000-000000000000' },
    });
    await assert.rejects(
      keyVault({ address: VAULT, identity, http: agent.http, mask: agent.mask }).read([{ name: 'plain' }]),
      failure('ERR_IDENTITY_REJECTED', /AADSTS700016/),
    );
  });

  it('refuses a vault of another tenant before it signs in', async () => {
    const identity = agent.identity('azure', { parameters: { tenantid: '22222222-0000-4000-8000-000000000000' } });
    await assert.rejects(
      keyVault({ address: VAULT, identity, http: agent.http, mask: agent.mask }).read([{ name: 'plain' }]),
      failure('ERR_SECRET_FORBIDDEN', /it trusts tenant 11111111/),
    );
  });

  it("ends with the caller's own reason when aborted", async () => {
    const reason = new Error('cancelled');
    await assert.rejects(vault().read([{ name: 'plain' }], AbortSignal.abort(reason)), reason);
  });

  it('reads with the managed identity of the machine', async () => {
    const { endpoint = '', header = '' } = job.azure.managedIdentity ?? {};
    Object.assign(process.env, { IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: header });
    try {
      const [secret] = await read('plain', VAULT, 'machine');
      assert.equal(secret?.value.reveal(), 'grün');
      await assert.rejects(
        read('api-key', VAULT, 'machine'),
        failure('ERR_SECRET_FORBIDDEN', /the managed identity of the agent has no role/),
      );
    } finally {
      delete process.env['IDENTITY_ENDPOINT'];
      delete process.env['IDENTITY_HEADER'];
    }
  });
});
