import { organizationUrl } from '#azure-devops/organization-url.ts';
import { AZURE_DEVOPS_SCOPE, pipelineApi } from '#azure-devops/pipeline-api.ts';
import { type MachineIdentity, machineIdentity } from '#identity/machine-identity.ts';
import { countedPolicy } from './app/counted-policy.ts';
import { configuredOrganization } from './config/azure-devops-config.ts';
import type { AzureDevOpsConfig } from './config/gateway-config.ts';
import type { PipelineConnection } from './dispatch/dispatch-context.ts';
import { PipelineDispatch } from './dispatch/pipeline-dispatch.ts';
import type { GatewayGround } from './gateway-ground.ts';
import type { PolicyFile } from './policy/policy-file.ts';

export interface OpenDispatch {
  readonly runs: PipelineDispatch;
  readonly organizationOf: (name: string | undefined) => string | undefined;
}

/** Pipelines of Azure DevOps, where the configuration names an organization. Takes up the pipeline runs of before. */
export async function openDispatch(
  { config, options, http, audit, store, metrics, closers }: GatewayGround,
  policyFile: PolicyFile,
): Promise<OpenDispatch | undefined> {
  const { azureDevOps } = config;
  const { log, clock } = options;
  if (azureDevOps.length === 0) return undefined;
  const connections = new Map<AzureDevOpsConfig, PipelineConnection>();
  const connectionOf = (entry: AzureDevOpsConfig): PipelineConnection => {
    const known = connections.get(entry);
    if (known) return known;
    const settings = entry.identity ?? config.identity;
    let identity: MachineIdentity | undefined;
    const token = async (signal: AbortSignal) => {
      // Not before it is asked for a token: what is wrong with it is told to whoever waits for one.
      // Nothing of the gateway prints a token: a Secret shows itself as asterisks.
      identity ??= machineIdentity(settings, { http, clock, mask: () => {} });
      return (await identity.token(AZURE_DEVOPS_SCOPE, signal)).token;
    };
    const connection = { api: pipelineApi({ base: entry.base, http, token, clock }), identity: settings };
    connections.set(entry, connection);
    return connection;
  };
  const runs = await PipelineDispatch.open({
    store,
    audit,
    policy: () => countedPolicy(policyFile.policy, metrics),
    connect: (organization, project) => {
      const entry = configuredOrganization(azureDevOps, organization, project);
      return entry && connectionOf(entry);
    },
    keepEndedMs: config.retention.runsMs,
    counted: (result) => metrics.pipelineRun(result),
    clock,
    log: (message, facts) => log.warn({ room: 'dispatch', ...facts }, message),
  });
  closers.push(() => runs.close());
  const organizations = new Set(azureDevOps.map(({ organization }) => organization));
  const [only] = organizations;
  return {
    runs,
    organizationOf: (name) =>
      name !== undefined ? organizationUrl(name) : organizations.size === 1 ? only : undefined,
  };
}
