import { DevOpsError } from './devops-error.ts';
import type { Identity, PipelineDefinition } from './world.ts';

/** What a pipeline cannot be queued with. */
export function pipelineInvalid(message: string): DevOpsError {
  return new DevOpsError(400, 'PipelineValidationException', message, 'Microsoft.Azure.Pipelines.WebApi');
}

export function pipelineMissing(id: string, project: string): DevOpsError {
  return new DevOpsError(
    404,
    'PipelineNotFoundException',
    `Pipeline ${id} was not found in project ${project}.`,
    'Microsoft.Azure.Pipelines.WebApi',
  );
}

/** @param permission as the security page of a pipeline calls it */
export function permissionMissing(
  permission: string,
  { name, tenant }: Identity,
  { id, project }: PipelineDefinition,
): DevOpsError {
  return new DevOpsError(
    403,
    'AccessDeniedException',
    `TF215106: Access denied. ${tenant.id}\\${name} needs ${permission} permissions for build pipeline ${id} in team project ${project.name} to perform the action. For more information, contact the Azure DevOps Services administrator.`,
    'Microsoft.TeamFoundation.Build.WebApi',
  );
}
