import type { PipelinePermission } from './access-grants.ts';

const OLD_HOST = /^https:\/\/([^./]+)\.visualstudio\.com$/;

/** The same text for the same pipeline: Azure DevOps has two addresses for an organization and no regard for case. */
export function pipelineKey({
  organization,
  project,
  pipeline,
}: Pick<PipelinePermission, 'organization' | 'project' | 'pipeline'>): string {
  const address = organization.toLowerCase().replace(OLD_HOST, 'https://dev.azure.com/$1');
  return JSON.stringify([address, project.toLowerCase(), pipeline]);
}
