import { organizationUrl } from '#azure-devops/organization-url.ts';
import type { PipelinePermission } from './access-grants.ts';

/** The same text for the same pipeline: Azure DevOps has two addresses for an organization and no regard for case. */
export function pipelineKey({
  organization,
  project,
  pipeline,
}: Pick<PipelinePermission, 'organization' | 'project' | 'pipeline'>): string {
  return JSON.stringify([organizationUrl(organization) ?? organization, project.toLowerCase(), pipeline]);
}
