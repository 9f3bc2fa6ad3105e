import { organizationAddress } from '#azure-devops/organization-url.ts';
import type { AzureDevOpsConfig } from './gateway-config.ts';
import type { RawGatewayConfig } from './raw-gateway-config.ts';
import type { Complain } from './url-problem.ts';

/** The organizations of `gateway.yaml`, each project of one in one entry at most. */
export function azureDevOpsConfig(raw: RawGatewayConfig['azureDevOps'], complain: Complain): readonly AzureDevOpsConfig[] {
  const seen = new Set<string>();
  return raw.map(({ organization: text, projects, identity }, i) => {
    const field = ['azureDevOps', i];
    const address = organizationAddress(text);
    if (address === undefined) complain([...field, 'organization'], 'is no organization of Azure DevOps Services');
    if (identity?.kind === 'default' && identity.clientId !== undefined)
      complain([...field, 'identity', 'clientId'], "needs 'kind' to be managed or workload");
    const { organization = text, base = text } = address ?? {};
    for (const project of projects ?? ['']) {
      const name = `${organization} ${project.toLowerCase()}`;
      if (seen.has(name)) complain(field, project === '' ? 'names an organization a second time' : 'names a project a second time');
      seen.add(name);
    }
    return { organization, base, projects, ...(identity && { identity }) };
  });
}
