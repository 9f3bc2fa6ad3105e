import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeyClient } from '@azure/keyvault-keys';
import type { Clock } from '#core/clock.ts';
import { systemClock } from '#core/clock.ts';
import { azureHttpClient } from '#http/azure-http-client.ts';
import type { MachineIdentity } from '#identity/machine-identity.ts';
import { machineIdentity } from '#identity/machine-identity.ts';
import type { AzureDeclaration } from '#local-azure/declaration.ts';
import { vaultCredential } from '#secrets/vault-credential.ts';
import { type AgentJob, agentJob } from './agent-job.ts';
import { type StartedJob, sampleDeclaration, startJob, TENANT, VAULT, WORKFLOW_CLIENT } from './local-azure.ts';

const impatient: Clock = { now: systemClock.now, sleep: async () => undefined };

/** A vault with the issuer's key, which the gateway's own identity uses and an officer changes. */
export interface VaultWithKeys {
  readonly job: StartedJob;
  readonly agent: AgentJob;
  /** Of the gateway: a workload identity, as in a pod. */
  readonly identity: MachineIdentity;
  /** Microsoft's client, of somebody who may make and change keys. */
  readonly officer: KeyClient;
  /** The same, of the gateway's own identity. */
  readonly user: KeyClient;
  /** How often the vault was asked for this. */
  asked(method: string, path: RegExp): number;
  close(): Promise<void>;
}

export async function vaultWithKeys(more: Partial<AzureDeclaration> = {}): Promise<VaultWithKeys> {
  const [vault, ...others] = sampleDeclaration().vaults ?? [];
  const job = await startJob(
    sampleDeclaration({
      vaults: [
        {
          name: 'myvault',
          ...vault,
          keys: {
            issuer: { versions: [{ created: '2026-01-01T00:00:00Z' }] },
            curve: { kind: 'EC' },
            wide: { size: 3_072 },
            other: {},
            cipher: { operations: ['encrypt', 'decrypt'] },
            dated: {
              versions: [
                { expires: '2020-01-01T00:00:00Z' },
                { notBefore: '2099-01-01T00:00:00Z' },
                { enabled: false },
              ],
            },
          },
        },
        ...others,
      ],
      roleAssignments: [
        { identity: 'workflows', role: 'Key Vault Crypto User', vault: 'myvault' },
        { identity: 'stranger', role: 'Key Vault Crypto Officer', vault: 'myvault' },
        { identity: 'machine', role: 'Key Vault Crypto User', vault: 'myvault', key: 'other' },
      ],
      ...more,
    }),
  );
  const agent = agentJob(job, impatient);
  const folder = mkdtempSync(join(tmpdir(), 'vault-keys-'));
  const environment = { ...process.env };
  const identity = await workload(agent, folder);
  const client = (connection: string) =>
    new KeyClient(VAULT, vaultCredential(agent.identity(connection), VAULT), {
      httpClient: azureHttpClient(agent.http, { maxAttempts: 1 }),
      retryOptions: { maxRetries: 0 },
    });
  return {
    job,
    agent,
    identity,
    officer: client('stranger'),
    user: client('azure'),
    asked: (method, path) =>
      job.azure
        .exchanges()
        .filter((one) => one.method === method && one.host === 'myvault.vault.azure.net' && path.test(one.path)).length,
    close: async () => {
      for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
      rmSync(folder, { recursive: true, force: true });
      await job.azure.close();
    },
  };
}

async function workload({ identity, http, mask }: AgentJob, folder: string): Promise<MachineIdentity> {
  const federated = identity('azure');
  const file = join(folder, 'token');
  if (federated.kind === 'federated') writeFileSync(file, (await federated.assertion()).token.reveal());
  Object.assign(process.env, {
    AZURE_FEDERATED_TOKEN_FILE: file,
    AZURE_CLIENT_ID: WORKFLOW_CLIENT,
    AZURE_TENANT_ID: TENANT,
  });
  return machineIdentity({ kind: 'workload' }, { http, mask, clock: impatient });
}
