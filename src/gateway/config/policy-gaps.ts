import type { AirflowGrant, PipelineGrant } from '../policy/access-grants.ts';
import type { Policy } from '../policy/policy.ts';
import type { Role } from '../policy/role.ts';
import { configuredOrganization } from './azure-devops-config.ts';
import type { GatewayConfig } from './gateway-config.ts';

type GapSettings = Pick<
  GatewayConfig,
  'airflow' | 'isolation' | 'issuer' | 'luigid' | 'publicUrl' | 'listen' | 'transport' | 'azureDevOps'
>;

/** What a policy gives its roles and this gateway does not have: sentences for whoever sets it up. Their runs do not get far. */
export function policyGaps(
  config: GapSettings,
  { roles, airflow, pipelines }: Pick<Policy, 'roles' | 'airflow' | 'pipelines'>,
): readonly string[] {
  const { isolation, issuer, luigid } = config;
  const isProxied = luigid?.proxied === true;
  const gapsOf = (role: Role): readonly (string | false)[] => {
    const { name, unixUser, taskIdentities, stockLuigi, namespaces, scheduler } = role;
    // A role of stock workers may have no runs here at all.
    const isRun = !stockLuigi;
    return [
      isRun &&
        isolation === 'users' &&
        unixUser === undefined &&
        `role '${name}' has no unixUser, and the configuration says isolation: users: its runs are not started`,
      isRun &&
        isolation === 'none' &&
        unixUser !== undefined &&
        `role '${name}' has a unixUser, and the configuration says isolation: none: its runs are not started`,
      issuer === undefined &&
        taskIdentities !== undefined &&
        `role '${name}' has taskIdentities, and the configuration no issuer: its runs are not started`,
      !isProxied &&
        stockLuigi &&
        `role '${name}' has stockLuigi, and the configuration no luigid behind the gateway: no such worker is registered`,
      isProxied &&
        stockLuigi &&
        !isAddressKnown(config) &&
        `role '${name}' has stockLuigi, and the configuration no publicUrl: such a worker cannot be told where luigid is`,
      isProxied &&
        scheduler === undefined &&
        namespaces.length === 0 &&
        `role '${name}' works at the luigid behind the gateway and has no namespaces: its workers can do nothing there`,
    ];
  };
  const ofAirflows = [...airflow.values()].flatMap((grant) => airflowGap(config, grant) ?? []);
  const ofPipelines = [...pipelines.values()].flatMap((grant) => pipelineGap(config, grant) ?? []);
  return [...[...roles.values()].flatMap(gapsOf).filter((gap) => gap !== false), ...ofAirflows, ...ofPipelines];
}

/** Its tokens are refused. */
function airflowGap({ airflow }: GapSettings, { name, airflow: wanted, role }: AirflowGrant): string | undefined {
  const authManager = airflow.get(wanted)?.authManager;
  if (authManager === undefined)
    return `airflow '${name}' is for '${wanted}', which the configuration does not have: it gives no token`;
  if ((authManager === 'simple') === (role !== undefined)) return undefined;
  const has = role === undefined ? 'no role' : 'a role';
  return `airflow '${name}' has ${has}, and the configuration says authManager: ${authManager} for '${wanted}': it gives no token`;
}

function pipelineGap({ azureDevOps }: GapSettings, { name, organization, project }: PipelineGrant): string | undefined {
  if (configuredOrganization(azureDevOps, organization, project) !== undefined) return undefined;
  return `pipeline '${name}' is of ${organization}/${project}, for which azureDevOps of the configuration has no entry: it is not queued`;
}

/** Without `publicUrl` it is that of the listener: on loopback, and at a port that is known before it listens. */
function isAddressKnown({ publicUrl, transport, listen }: GapSettings): boolean {
  return publicUrl !== undefined || (transport.kind === 'plain' && listen.port !== 0);
}
