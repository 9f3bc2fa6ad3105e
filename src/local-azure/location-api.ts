import { type ApiCall, type ApiResource, list } from './devops-api.ts';
import { DevOpsError } from './devops-error.ts';
import type { MemberResource } from './member-call.ts';
import { RESOURCE_AREAS } from './resource-locations.ts';
import type { Project, World } from './world.ts';

export const resourceAreasResource = {
  GET: ({ values, world }: Pick<ApiCall, 'values' | 'world'>): object => {
    const areas = Object.entries(RESOURCE_AREAS).map(([id, name]) => ({
      id,
      name,
      locationUrl: world.organization.url,
    }));
    const wanted = values['areaId']?.toLowerCase();
    if (wanted === undefined) return list(areas);
    const found = areas.find(({ id }) => id === wanted);
    if (found === undefined)
      throw new DevOpsError(404, 'ResourceAreaNotFoundException', `The resource area ${wanted} could not be found.`);
    return found;
  },
};

/** Who the token belongs to: the project's build service. */
export const connectionDataResource: ApiResource = {
  GET: ({ world, run }) => connectionData(world, buildService(world, run.project)),
};

/** Who the token belongs to: an identity of Entra ID that is a user of the organization. */
export const memberDataResource: MemberResource = {
  GET: ({ world, member }) =>
    connectionData(world, {
      id: member.objectId,
      descriptor: `Microsoft.VisualStudio.Services.Claims.AadServicePrincipal;${member.tenant.id}\\${member.objectId}`,
      providerDisplayName: member.name,
      isActive: true,
    }),
};

function connectionData({ organization }: World, user: object): object {
  return {
    authenticatedUser: user,
    authorizedUser: user,
    instanceId: organization.id,
    deploymentType: 'hosted',
  };
}

function buildService({ organization }: World, project: Project): object {
  return {
    id: project.id,
    descriptor: `Microsoft.TeamFoundation.ServiceIdentity;${organization.id}:Build:${project.id}`,
    providerDisplayName: `${project.name} Build Service (${organization.name})`,
    isActive: true,
  };
}
