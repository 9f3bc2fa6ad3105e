import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect, promisify } from 'node:util';
import { type Clock, systemClock } from '#core/clock.ts';
import type { SecretGrant } from '#gateway/policy/role.ts';
import { vaultSecrets } from '#gateway/secrets/vault-secrets.ts';
import { type MachineIdentitySettings, machineIdentity } from '#identity/machine-identity.ts';
import { type AgentJob, agentJob } from '../support/agent-job.ts';
import {
  MACHINE_CLIENT,
  NEW_VERSION,
  type StartedJob,
  startJob,
  TENANT,
  WORKFLOW_CLIENT,
} from '../support/local-azure.ts';
import { failure } from '../support/plumbline-failure.ts';

const impatient: Clock = { now: systemClock.now, sleep: async () => undefined };
const execute = promisify(execFile);
const signal = new AbortController().signal;

const grant = (secret: string, more: Partial<SecretGrant> = {}): SecretGrant => ({
  vault: 'myvault',
  secret,
  target: 'environment',
  name: secret.toUpperCase(),
  ...more,
});

describe("secrets of roles, read under the gateway's own identity", () => {
  let job: StartedJob;
  let agent: AgentJob;
  let folder: string;
  const environment = { ...process.env };

  before(async () => {
    job = await startJob();
    agent = agentJob(job, impatient);
    folder = mkdtempSync(join(tmpdir(), 'plumbline-identity-'));
  });
  after(async () => {
    rmSync(folder, { recursive: true, force: true });
    await job.azure.close();
  });
  afterEach(() => {
    for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
  });

  const reader = (settings: MachineIdentitySettings, warnings: string[] = []) => {
    const identity = machineIdentity(settings, { http: agent.http, mask: agent.mask, clock: impatient });
    return vaultSecrets({ identity, http: agent.http, clock: impatient, warn: (message) => warnings.push(message) });
  };
  const readAsMachine = async (kind: string, secret: string) => {
    const { managedIdentity, caFile, proxyUrl } = job.azure;
    const { endpoint = '', header = '' } = managedIdentity ?? {};
    const program = join(import.meta.dirname, '../support/gateway/read-granted.ts');
    const { stdout } = await execute(process.execPath, [program, kind, MACHINE_CLIENT, secret, caFile, proxyUrl], {
      env: { ...process.env, IDENTITY_ENDPOINT: endpoint, IDENTITY_HEADER: header },
    });
    return stdout;
  };
  /** As a pod has it: a token in a file, whose issuer and subject Entra ID trusts. */
  const asWorkload = async () => {
    const identity = agent.identity('azure');
    assert.equal(identity.kind, 'federated');
    const file = join(folder, 'token');
    if (identity.kind === 'federated') writeFileSync(file, (await identity.assertion()).token.reveal());
    Object.assign(process.env, {
      AZURE_FEDERATED_TOKEN_FILE: file,
      AZURE_CLIENT_ID: WORKFLOW_CLIENT,
      AZURE_TENANT_ID: TENANT,
    });
  };

  for (const kind of ['managed', 'default'] as const) {
    it(`come with a managed identity (${kind}), as far as it may read them`, async () => {
      assert.match(await readAsMachine(kind, 'plain'), /^https:\/\/myvault.vault.azure.net [0-9a-f]{32} grün$/);
      assert.match(await readAsMachine(kind, 'api-key'), /^ERR_SECRET_FORBIDDEN: .*client 66666666-\S+ has no role/);
    });
  }

  for (const kind of ['workload', 'default'] as const) {
    it(`come with a workload identity (${kind}), in the order asked for, each vault with its own permission`, async () => {
      await asWorkload();
      const warnings: string[] = [];
      const grants = [grant('api-key'), grant('plain', { vault: 'policyvault' }), grant('expired')];
      const secrets = await reader({ kind }, warnings).read(grants, signal);
      assert.deepEqual(
        secrets.map(({ value }) => value.reveal()),
        ['new', 'by policy', 'stale'],
      );
      assert.equal(secrets[0]?.version, NEW_VERSION);
      assert.match(warnings.join(), /expired/);
      assert.doesNotMatch(inspect(secrets, { depth: 9 }) + JSON.stringify(secrets), /by policy|stale/);
    });
  }

  it('are refused with their own code', async () => {
    await asWorkload();
    await assert.rejects(
      reader({ kind: 'workload' }).read([grant('absent')], signal),
      failure('ERR_SECRET_NOT_FOUND', /absent/),
    );
    await assert.rejects(
      reader({ kind: 'workload' }).read([grant('disabled')], signal),
      failure('ERR_SECRET_DISABLED', /disabled/),
    );
  });

  it('are not asked for at an address that is no vault of the cloud', async () => {
    await asWorkload();
    const before = job.azure.exchanges().length;
    const elsewhere = grant('plain', { vault: 'https://myvault.vault.azure.net.evil.example' });
    await assert.rejects(
      reader({ kind: 'workload' }).read([elsewhere], signal),
      failure('ERR_IDENTITY_HOST_NOT_ALLOWED', /evil/),
    );
    assert.equal(job.azure.exchanges().length, before);
  });

  it('are not read with a secret that is stored in the environment, or through an authority that is none', () => {
    process.env['AZURE_CLIENT_SECRET'] = 'stored';
    assert.throws(() => reader({ kind: 'default' }), failure('ERR_CONNECTION_STORED_SECRET', /AZURE_CLIENT_SECRET/));
    delete process.env['AZURE_CLIENT_SECRET'];
    process.env['AZURE_AUTHORITY_HOST'] = 'https://login.evil.example';
    assert.throws(() => reader({ kind: 'managed' }), failure('ERR_IDENTITY_HOST_NOT_ALLOWED', /evil/));
  });

  it('say that there is no identity where there is none', async () => {
    process.env['AZURE_TENANT_ID'] = TENANT;
    await assert.rejects(
      reader({ kind: 'workload' }).read([grant('plain')], signal),
      failure('ERR_IDENTITY_REJECTED', /this machine's identity/),
    );
  });
});
