import { type ApiCall, type ApiResource, list } from './devops-api.ts';
import { DevOpsError } from './devops-error.ts';
import { RESOURCE_AREAS } from './resource-locations.ts';

export const resourceAreasResource: ApiResource = {
  GET: ({ values, world }) => {
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
  GET: (call) => {
    const user = buildService(call);
    return {
      authenticatedUser: user,
      authorizedUser: user,
      instanceId: call.world.organization.id,
      deploymentType: 'hosted',
    };
  },
};

function buildService({ world: { organization, project } }: ApiCall): object {
  return {
    id: project.id,
    descriptor: `Microsoft.TeamFoundation.ServiceIdentity;${organization.id}:Build:${project.id}`,
    providerDisplayName: `${project.name} Build Service (${organization.name})`,
    isActive: true,
  };
}
