import { organizationAddress } from '#azure-devops/organization-url.ts';
import type { AzureDevOpsConfig } from './gateway-config.ts';
import type { RawGatewayConfig } from './raw-gateway-config.ts';
import type { Complain } from './url-problem.ts';
import type { FieldPath } from './yaml-source.ts';

/** The organizations of `gateway.yaml`, each project of one in one entry at most. */
export function azureDevOpsConfig(
  raw: RawGatewayConfig['azureDevOps'],
  complain: Complain,
): readonly AzureDevOpsConfig[] {
  const entries = raw.map((entry, i) => entryOf(entry, ['azureDevOps', i], complain));
  const seen = new Set<string>();
  for (const [i, { organization, projects = [''] }] of entries.entries()) {
    const names = projects.map((project) => `${organization} ${project.toLowerCase()}`);
    if (names.some((name) => seen.has(name))) complain(['azureDevOps', i], 'names what another entry names');
    for (const name of names) seen.add(name);
  }
  return entries;
}

function entryOf(
  { organization: text, projects, identity }: RawGatewayConfig['azureDevOps'][number],
  field: FieldPath,
  complain: Complain,
): AzureDevOpsConfig {
  const address = organizationAddress(text);
  if (address === undefined) complain([...field, 'organization'], 'is no organization of Azure DevOps Services');
  if (identity?.kind === 'default' && identity.clientId !== undefined)
    complain([...field, 'identity', 'clientId'], "needs 'kind' to be managed or workload");
  return { ...(address ?? { organization: text, base: text }), projects, identity };
}

/** The entry for a project: one that names it, else the one for the whole organization. */
export function configuredOrganization(
  entries: readonly AzureDevOpsConfig[],
  organization: string,
  project: string,
): AzureDevOpsConfig | undefined {
  const own = entries.filter((entry) => entry.organization === organization);
  const named = own.find(({ projects }) => projects?.some((name) => name.toLowerCase() === project.toLowerCase()));
  return named ?? own.find(({ projects }) => projects === undefined);
}
