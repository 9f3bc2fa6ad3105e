import type { Clock } from '#core/clock.ts';
import { DevOpsError } from './devops-error.ts';
import type { Incoming } from './exchange.ts';
import { permissionMissing, pipelineMissing } from './pipeline-error.ts';
import type { PipelineQueue } from './pipeline-queue.ts';
import type { PipelineRun } from './pipeline-run.ts';
import type { PipelineRuns } from './pipeline-runs.ts';
import type { Identity, PipelineDefinition, Project, World } from './world.ts';

/** One call of an identity that is a user of the organization. */
export interface MemberCall {
  readonly request: Incoming;
  readonly values: Readonly<Record<string, string>>;
  readonly member: Identity;
  readonly runs: PipelineRuns;
  readonly queue: Pick<PipelineQueue, 'queue' | 'file'>;
  readonly world: World;
  readonly clock: Clock;
}

/** By HTTP method. */
export type MemberResource = Readonly<Record<string, (call: MemberCall) => unknown>>;

/** The project of the path, by name or id. */
export function projectOf({ values, world }: Pick<MemberCall, 'values' | 'world'>): Project {
  const wanted = values['project']?.toLowerCase();
  const all = [world.project, ...world.pipelines.map(({ project }) => project)];
  const found = all.find(({ id, name }) => wanted === id || wanted === name.toLowerCase());
  if (found !== undefined) return found;
  throw new DevOpsError(
    404,
    'ProjectDoesNotExistWithNameException',
    `TF200016: The following project does not exist: ${values['project']}. Verify that the name of the project is correct and that the project exists on the specified Azure DevOps Server.`,
    'Microsoft.TeamFoundation.Core.WebApi',
  );
}

/** The pipeline of the path, which the caller may queue. */
export function pipelineOf(call: MemberCall): PipelineDefinition {
  const project = projectOf(call);
  const { pipelineId = '' } = call.values;
  const found = call.world.pipelines.find((one) => one.project.id === project.id && String(one.id) === pipelineId);
  if (found === undefined) throw pipelineMissing(pipelineId, project.name);
  if (!found.queueBuilds.includes(call.member)) throw permissionMissing('Queue builds', call.member, found);
  return found;
}

/** Whether the caller sees runs of a pipeline. */
export function mayView({ member }: Pick<MemberCall, 'member'>, { request }: PipelineRun): boolean {
  if (request === undefined) return false;
  const { queueBuilds, tagBuilds } = request.definition;
  return queueBuilds.includes(member) || tagBuilds.includes(member);
}

/** The run of the path, when the caller sees it. */
export function runOf(call: MemberCall): PipelineRun {
  const project = projectOf(call);
  const { buildId = '' } = call.values;
  const run = /^\d{1,9}$/.test(buildId) ? call.runs.find(Number(buildId)) : undefined;
  if (run?.request === undefined || run.project.id !== project.id)
    throw new DevOpsError(
      404,
      'BuildNotFoundException',
      `The requested build ${buildId} could not be found.`,
      'Microsoft.TeamFoundation.Build.WebApi',
    );
  if (!mayView(call, run)) throw permissionMissing('View builds', call.member, run.request.definition);
  return run;
}
