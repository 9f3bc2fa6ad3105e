import { PlumblineError } from './errors.ts';
import { type Provenance, UNNAMED } from './provenance.ts';
import { readBuildSource, readReleaseSource } from './read-source.ts';
import { Variables } from './variables.ts';

/**
 * Which pipeline run this is, from the agent's predefined variables (Microsoft's pages "Use predefined variables" and
 * "Use variables in Classic release pipelines"). Reads nothing else, so `source.dirty` stays unknown.
 *
 * @param variable gives a variable by its dotted name, e.g. `Build.BuildId`
 * @throws {PlumblineError} `ERR_PLATFORM_UNSUPPORTED` naming every variable that is needed and not set
 */
export function readProvenance(variable: (name: string) => string | undefined): Provenance {
  const variables = new Variables(variable);
  // A deployment group job of a release has the host type `deployment`; a deployment job of YAML is a build.
  const isRelease = ['release', 'deployment'].includes(variables.get('System.HostType')?.toLowerCase() ?? 'build');
  const provenance = { ...readPlace(variables), ...(isRelease ? readRelease(variables) : readBuild(variables)) };
  if (variables.missing.length > 0) throw incomplete(variables.missing);
  return provenance;
}

function incomplete(missing: readonly string[]): PlumblineError {
  const which = missing.length === 1 ? `the variable ${missing[0]} is` : `the variables ${missing.join(', ')} are`;
  return new PlumblineError('ERR_PLATFORM_UNSUPPORTED', `The pipeline run cannot be identified: ${which} not set`, {
    remedy: 'Run this as a task of Azure Pipelines on an agent.',
    details: { missing },
  });
}

type Place = Pick<
  Provenance,
  'organizationUrl' | 'organization' | 'project' | 'job' | 'step' | 'environment' | 'agentVersion'
>;

function readPlace(variables: Variables): Place {
  const id = variables.need('System.JobId');
  const stepId = variables.need('System.TaskInstanceId');
  return {
    ...readOrganization(variables),
    project: { id: variables.need('System.TeamProjectId'), name: variables.need('System.TeamProject') },
    job: {
      id,
      name: jobName(variables) ?? id,
      attempt: variables.count('System.JobAttempt'),
    },
    step: {
      id: stepId,
      name: variables.get('System.TaskInstanceName') ?? variables.get('System.TaskDisplayName') ?? stepId,
    },
    environment: variables.get('Environment.Name'),
    agentVersion: variables.get('Agent.Version'),
  };
}

/** A job's own name is that of its phase; `System.JobName` is the leg of a matrix, or `__default` where there is none. */
function jobName(variables: Variables): string | undefined {
  const [phase, leg] = ['System.PhaseName', 'System.JobName'].map((name) => named(variables.get(name)));
  if (phase !== undefined && leg !== undefined && phase.toLowerCase() !== leg.toLowerCase()) return `${phase} ${leg}`;
  return phase ?? leg ?? variables.get('Agent.JobName');
}

function named(name: string | undefined): string | undefined {
  return name === UNNAMED ? undefined : name;
}

/**
 * `System.TeamFoundationServerUri` is not asked: in a release it is the release service, not the organisation.
 */
function readOrganization(variables: Variables): Pick<Provenance, 'organizationUrl' | 'organization'> {
  const given = variables.get('System.CollectionUri') ?? variables.need('System.TeamFoundationCollectionUri');
  if (!URL.canParse(given)) return { organizationUrl: given, organization: given };
  const url = new URL(given);
  const path = url.pathname.split('/').filter(Boolean);
  const [subdomain = '', ...domain] = url.hostname.split('.');
  // The old form, https://fabrikam.visualstudio.com/DefaultCollection, names the collection only now and then.
  if (domain.join('.') === 'visualstudio.com') return { organizationUrl: url.origin, organization: subdomain };
  return {
    organizationUrl: [url.origin, ...path].join('/'),
    organization: path.at(-1) ?? url.hostname,
  };
}

type Run = Pick<Provenance, 'kind' | 'pipeline' | 'run' | 'reason' | 'stage' | 'requestedFor' | 'source'>;

function readBuild(variables: Variables): Run {
  const id = variables.need('Build.BuildId');
  const pipelineId = variables.need('System.DefinitionId');
  const stage = variables.get('System.StageName');
  return {
    kind: 'build',
    pipeline: {
      id: pipelineId,
      name: variables.get('Build.DefinitionName') ?? variables.get('System.DefinitionName') ?? pipelineId,
    },
    run: {
      id,
      name: variables.get('Build.BuildNumber') ?? id,
      url: `${projectUrl(variables)}/_build/results?buildId=${encodeURIComponent(id)}`,
      startedAt: variables.instant('System.PipelineStartTime'),
    },
    reason: variables.get('Build.Reason'),
    stage: stage ? { name: stage, attempt: variables.count('System.StageAttempt') } : undefined,
    requestedFor: variables.person('Build.RequestedForId', 'Build.RequestedFor'),
    source: readBuildSource(variables),
  };
}

function readRelease(variables: Variables): Run {
  const id = variables.need('Release.ReleaseId');
  const pipelineId = variables.need('Release.DefinitionId');
  const stage = variables.get('Release.EnvironmentName');
  return {
    kind: 'release',
    pipeline: { id: pipelineId, name: variables.get('Release.DefinitionName') ?? pipelineId },
    run: {
      id,
      name: variables.get('Release.ReleaseName') ?? id,
      url: `${projectUrl(variables)}/_releaseProgress?_a=release-pipeline-progress&releaseId=${encodeURIComponent(id)}`,
      startedAt: variables.instant('Release.Deployment.StartTime'),
    },
    reason: variables.get('Release.Reason'),
    stage: stage ? { name: stage, attempt: variables.count('Release.AttemptNumber') } : undefined,
    requestedFor:
      variables.person('Release.Deployment.RequestedForId', 'Release.Deployment.RequestedFor') ??
      variables.person('Release.RequestedForId', 'Release.RequestedFor'),
    source: readReleaseSource(variables),
  };
}

function projectUrl(variables: Variables): string {
  return `${readOrganization(variables).organizationUrl}/${encodeURIComponent(variables.get('System.TeamProject') ?? '')}`;
}
