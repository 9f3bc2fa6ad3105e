import type { AzureDeclaration } from '#local-azure/declaration.ts';
import { type LocalAzure, type LocalAzureOptions, startLocalAzure } from '#local-azure/local-azure.ts';
import type { PipelineRunFacts } from '#local-azure/pipeline-run.ts';

export const TENANT = '11111111-2222-4333-8444-555555555555';
export const WORKFLOW_CLIENT = '99999999-8888-4777-8666-555555555555';
export const STRANGER_CLIENT = '77777777-8888-4777-8666-555555555555';
export const MACHINE_CLIENT = '66666666-8888-4777-8666-555555555555';
export const PLAN = 'a0000000-0000-4000-8000-000000000001';
export const TIMELINE = 'a0000000-0000-4000-8000-000000000002';
export const JOB = 'a0000000-0000-4000-8000-000000000003';
export const STEP = 'a0000000-0000-4000-8000-000000000004';
export const REPOSITORY = 'a0000000-0000-4000-8000-000000000005';
export const VAULT = 'https://myvault.vault.azure.net';
export const OLD_VERSION = '00000000000000000000000000000001';
export const NEW_VERSION = '00000000000000000000000000000002';

/** One organization with a connection of each kind and a vault of each kind. */
export function sampleDeclaration(more: Partial<AzureDeclaration> = {}): AzureDeclaration {
  return {
    organization: { name: 'fabrikam' },
    project: { name: 'demo' },
    tenants: [{ id: TENANT, name: 'Fabrikam' }],
    identities: [
      {
        name: 'workflows',
        clientId: WORKFLOW_CLIENT,
        federatedCredentials: [{ connection: 'azure' }, { connection: 'azure-old' }],
      },
      { name: 'stranger', clientId: STRANGER_CLIENT, federatedCredentials: [{ connection: 'stranger' }] },
      { name: 'machine', kind: 'managedIdentity', clientId: MACHINE_CLIENT },
      {
        name: 'gateway',
        clientId: '55555555-8888-4777-8666-555555555555',
        exposes: { identifierUris: ['api://plumbline-gateway'], accessTokenVersion: 2 },
      },
    ],
    connections: [
      { name: 'azure', scheme: 'WorkloadIdentityFederation', identity: 'workflows' },
      { name: 'azure-old', scheme: 'WorkloadIdentityFederation', identity: 'workflows', issuerType: 'AzureDevOps' },
      { name: 'stranger', scheme: 'WorkloadIdentityFederation', identity: 'stranger' },
      { name: 'untrusted', scheme: 'WorkloadIdentityFederation', identity: 'workflows' },
      { name: 'stored', scheme: 'ServicePrincipal', identity: 'workflows', secret: 'a-stored-secret' },
      { name: 'machine', scheme: 'ManagedServiceIdentity' },
    ],
    vaults: [
      {
        name: 'myvault',
        secrets: {
          'api-key': {
            versions: [
              { value: 'old', version: OLD_VERSION },
              { value: 'new', version: NEW_VERSION, contentType: 'text/plain', tags: { owner: 'data' } },
            ],
          },
          plain: 'grün',
          disabled: { value: 'x', enabled: false },
          expired: { value: 'stale', expires: '2020-01-01T00:00:00Z' },
          future: { value: 'early', notBefore: '2099-01-01T00:00:00Z' },
          gone: { value: 'x', deleted: true },
        },
      },
      {
        name: 'policyvault',
        permissionModel: 'accessPolicy',
        accessPolicies: [{ identity: 'workflows', secrets: ['get'] }],
        secrets: { plain: 'by policy' },
      },
      { name: 'walled', firewall: 'deny', secrets: { plain: 'x' } },
    ],
    roleAssignments: [
      { identity: 'workflows', role: 'Key Vault Secrets User', vault: 'myvault' },
      { identity: 'workflows', role: 'Key Vault Secrets User', vault: 'walled' },
      { identity: 'stranger', role: 'Key Vault Secrets User', vault: 'policyvault' },
      { identity: 'machine', role: 'Key Vault Secrets User', vault: 'myvault', secret: 'plain' },
    ],
    machineIdentities: ['machine'],
    ...more,
  };
}

export const RUN: PipelineRunFacts = {
  buildId: 42,
  buildNumber: '20261121.1',
  definitionId: 7,
  definitionName: 'nightly',
  planId: PLAN,
  timelineId: TIMELINE,
  repository: { id: REPOSITORY, name: 'data', type: 'TfsGit', url: 'https://dev.azure.com/fabrikam/demo/_git/data' },
  branch: 'refs/pull/12/merge',
  commit: '0123456789012345678901234567890123456789',
  reason: 'PullRequest',
};

export interface StartedJob {
  readonly azure: LocalAzure;
  readonly accessToken: string;
  readonly oidcRequestUri: string;
  /** The id of a connection by its name. */
  connection(name: string): string;
}

/** A local Azure in which one job with one step runs; the job names every connection but `untrusted` unless told otherwise. */
export async function startJob(
  declaration = sampleDeclaration(),
  options: LocalAzureOptions & { names?: readonly string[] } = {},
): Promise<StartedJob> {
  const azure = await startLocalAzure(declaration, options);
  const connections = azure.connections();
  const names = options.names ?? connections.map(({ name }) => name);
  const connectionIds = connections.filter(({ name }) => names.includes(name)).map(({ id }) => id);
  azure.beginRun(RUN);
  const job = azure.beginJob({ jobId: JOB, planId: PLAN, timelineId: TIMELINE, connectionIds });
  azure.beginStep({ recordId: STEP, jobId: JOB, name: 'RunLuigi' });
  return {
    azure,
    ...job,
    connection: (name) => connections.find((each) => each.name === name)?.id ?? `no connection ${name}`,
  };
}
