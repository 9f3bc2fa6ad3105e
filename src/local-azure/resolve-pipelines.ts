import type { AzureDeclaration } from './declaration.ts';
import { derivedGuid } from './derived-guid.ts';
import type { Resolver } from './resolve-world.ts';
import type { Organization, PipelineDefinition, Project } from './world.ts';

const DEFAULT_REFS = ['refs/heads/main'] as const;

export function resolvePipelines(
  { organization, pipelines = [] }: AzureDeclaration,
  own: Project,
  { identity, findings }: Resolver,
): PipelineDefinition[] {
  const ids = pipelines.map(({ id }) => id);
  for (const id of ids.filter((id, i) => ids.indexOf(id) !== i)) findings.push(`/pipelines has ${id} twice`);
  return pipelines.map(({ id, name, project, yaml, refs = DEFAULT_REFS, queueBuilds = [], tagBuilds = [] }) => {
    const where = `/pipelines "${name}"`;
    return {
      id,
      name,
      project: projectNamed(project, organization.name, own),
      yaml,
      refs: refs as PipelineDefinition['refs'],
      queueBuilds: queueBuilds.map((each) => identity(each, where)),
      tagBuilds: tagBuilds.map((each) => identity(each, where)),
    };
  });
}

/** Who is a user of the organization, which knows identities of its own tenant alone. */
export function resolveMembers(
  { organization: { tenant, members = [] }, tenants }: AzureDeclaration,
  pipelines: readonly PipelineDefinition[],
  resolver: Resolver,
): Pick<Organization, 'tenant' | 'members'> {
  const named = members.map((each) => resolver.identity(each, '/organization/members'));
  const all = new Set([...named, ...pipelines.flatMap(({ queueBuilds, tagBuilds }) => [...queueBuilds, ...tagBuilds])]);
  const isAsked = tenant !== undefined || all.size > 0;
  const home = resolver.tenant(isAsked ? tenant : tenants[0]?.id, '/organization');
  for (const { name, tenant: own } of all)
    if (own !== undefined && own.id !== home.id)
      resolver.findings.push(`/organization cannot have the member "${name}", which is of another tenant`);
  return { tenant: home, members: [...all] };
}

function projectNamed(name: string | undefined, organization: string, own: Project): Project {
  if (name === undefined || name.toLowerCase() === own.name.toLowerCase()) return own;
  return { name, id: derivedGuid('project', organization, name) };
}
