import { hostname } from 'node:os';
import type { SourceFacts } from './git-facts.ts';
import type { PlannedJobNames } from './job-names.ts';
import type { PipelineServices, RunFacts } from './pipeline-services.ts';
import type { WorkDirectories } from './work-directories.ts';

export interface RunVariableSources {
  readonly run: RunFacts;
  readonly source: SourceFacts;
  readonly services: Pick<PipelineServices, 'organization' | 'project'>;
  readonly startedAt: Date;
}

/** Who queued a local run. */
const REQUESTER = { name: 'Local User', id: '00000000-0000-4000-8000-000000000001' };

/** What is the same for all jobs of a run and known before it starts (`Build.*` and the first half of `System.*`). */
export function runVariables({
  run,
  source,
  services: { organization, project },
  startedAt,
}: RunVariableSources): Record<string, string> {
  const collection = organization.url.endsWith('/') ? organization.url : `${organization.url}/`;
  return {
    'System.CollectionId': organization.id,
    'System.CollectionUri': collection,
    'System.TeamFoundationCollectionUri': collection,
    'System.TeamFoundationServerUri': collection,
    'System.TaskDefinitionsUri': collection,
    'System.TeamProject': project.name,
    'System.TeamProjectId': project.id,
    'System.HostType': 'build',
    System: 'build',
    'System.ServerType': 'Hosted',
    'System.Culture': 'en-US',
    'System.DefinitionId': String(run.definitionId),
    'System.DefinitionName': run.definitionName,
    'System.PlanId': run.planId,
    'System.TimelineId': run.timelineId,
    'System.PipelineStartTime': startedAt
      .toISOString()
      .replace('T', ' ')
      .replace(/\.\d+Z$/, '+00:00'),
    'System.IsScheduled': 'False',
    'System.PullRequest.IsFork': 'False',
    'System.EnableAccessToken': 'SecretVariable',
    'Build.BuildId': String(run.buildId),
    'Build.BuildNumber': run.buildNumber,
    'Build.BuildUri': `vstfs:///Build/Build/${run.buildId}`,
    'Build.ContainerId': String(run.buildId),
    'Build.DefinitionName': run.definitionName,
    'Build.DefinitionVersion': '1',
    'Build.Reason': run.reason,
    'Build.QueuedBy': REQUESTER.name,
    'Build.QueuedById': REQUESTER.id,
    'Build.RequestedFor': REQUESTER.name,
    'Build.RequestedForId': REQUESTER.id,
    'Build.SourceBranch': run.branch,
    'Build.SourceBranchName': run.branch.split('/').at(-1) ?? '',
    'Build.SourceVersion': run.commit,
    'Build.SourceVersionAuthor': source.author,
    'Build.SourceVersionMessage': source.message,
    'Build.Repository.Id': run.repository.id,
    'Build.Repository.Name': run.repository.name,
    'Build.Repository.Provider': run.repository.type,
    'Build.Repository.Uri': run.repository.url,
    'Build.Repository.Clean': 'False',
    'Build.Repository.Git.SubmoduleCheckout': 'False',
  };
}

/** What the agent and the service add for one job. */
export function jobVariables(
  names: PlannedJobNames,
  directories: WorkDirectories,
  sources: string,
): Record<string, string> {
  return {
    ...agentVariables(names, directories),
    ...phaseVariables(names),
    ...(names.environment ? environmentVariables(names.environment) : {}),
    'Pipeline.Workspace': directories.workspace,
    'Common.TestResultsDirectory': directories.testResults,
    'Build.SourcesDirectory': sources,
    'Build.Repository.LocalPath': sources,
    'System.DefaultWorkingDirectory': sources,
    'Build.BinariesDirectory': directories.binaries,
    'Build.StagingDirectory': directories.staging,
    'Build.ArtifactStagingDirectory': directories.staging,
    'System.ArtifactsDirectory': directories.staging,
    'System.WorkFolder': directories.root,
  };
}

const SYSTEMS: Readonly<Record<string, string>> = { linux: 'Linux', darwin: 'Darwin', win32: 'Windows_NT' };

function agentVariables(
  { jobDisplayName }: PlannedJobNames,
  { root, temp, tools, workspace }: WorkDirectories,
): Record<string, string> {
  return {
    'Agent.Id': '1',
    'Agent.Name': 'local',
    'Agent.MachineName': hostname(),
    'Agent.JobName': jobDisplayName,
    'Agent.JobStatus': 'Succeeded',
    'Agent.OS': SYSTEMS[process.platform] ?? process.platform,
    'Agent.OSArchitecture': process.arch === 'arm64' ? 'ARM64' : 'X64',
    'Agent.Version': '4.265.1',
    'Agent.IsSelfHosted': '1',
    'Agent.ReadOnlyVariables': 'true',
    'Agent.RetainDefaultEncoding': 'false',
    'Agent.HomeDirectory': root,
    'Agent.RootDirectory': root,
    'Agent.WorkFolder': root,
    'Agent.BuildDirectory': workspace,
    'Agent.TempDirectory': temp,
    'Agent.ToolsDirectory': tools,
  };
}

function phaseVariables(names: PlannedJobNames): Record<string, string> {
  return {
    'System.StageId': names.stageId,
    'System.StageName': names.stage,
    'System.StageDisplayName': names.stageDisplayName,
    'System.StageAttempt': '1',
    'System.PhaseId': names.phaseId,
    'System.PhaseName': names.phase,
    'System.PhaseDisplayName': names.phaseDisplayName,
    'System.PhaseAttempt': '1',
    'System.JobId': names.jobId,
    'System.JobName': names.job,
    'System.JobDisplayName': names.jobDisplayName,
    'System.JobIdentifier': names.identifier,
    'System.JobAttempt': '1',
    'System.JobPositionInPhase': String(names.position),
    'System.TotalJobsInPhase': String(names.total),
    'System.JobParallelismTag': 'Private',
  };
}

function environmentVariables(environment: {
  name: string;
  id: string;
  resourceName: string | undefined;
}): Record<string, string> {
  return {
    'Environment.Name': environment.name,
    'Environment.Id': environment.id,
    ...(environment.resourceName && { 'Environment.ResourceName': environment.resourceName }),
    'Strategy.Name': 'runOnce',
    'Strategy.CycleName': 'deploy',
  };
}

/** What `.proxybypass` of an agent that runs beside its engine holds. */
const LOOPBACK = ['^https?://(localhost|127\\.0\\.0\\.1|\\[::1\\])([:/]|$)'];

/** The proxy and the authority that an agent was configured with. Nothing else tells a task of them: no `HTTPS_PROXY`. */
export function networkVariables({
  proxyUrl,
  caFile,
}: Pick<PipelineServices, 'proxyUrl' | 'caFile'>): Record<string, string> {
  return {
    'Agent.ProxyUrl': proxyUrl,
    'Agent.ProxyBypassList': JSON.stringify(LOOPBACK),
    'Agent.UseBasicAuthForProxy': 'False',
    'Agent.CAInfo': caFile,
  };
}
