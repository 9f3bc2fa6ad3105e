import { PlumblineError } from '#core/errors.ts';
import { Variables } from '#core/variables.ts';

/** Where a step of a job keeps its records. */
export interface JobPlace {
  readonly projectId: string;
  /** `build` or `release`, as the service's URLs call it. */
  readonly hub: string;
  readonly planId: string;
  readonly timelineId: string;
  /** The step's own timeline record. */
  readonly recordId: string;
  /** `undefined` in a classic release, whose `Build.BuildId` is somebody else's. */
  readonly buildId: number | undefined;
}

/** @throws {PlumblineError} `ERR_PUBLISH_FAILED` naming every variable that is needed and not set. */
export function readJobPlace(variable: (name: string) => string | undefined): JobPlace {
  const variables = new Variables(variable);
  const hub = hubOf(variables);
  const place = {
    projectId: variables.need('System.TeamProjectId'),
    hub,
    planId: variables.need('System.PlanId'),
    timelineId: variables.need('System.TimelineId'),
    recordId: variables.need('System.TaskInstanceId'),
    buildId: hub === 'build' ? Number(variables.need('Build.BuildId')) : undefined,
  };
  if (variables.missing.length === 0) return place;
  throw new PlumblineError(
    'ERR_PUBLISH_FAILED',
    `Cannot find this step's place in Azure DevOps: not set are ${variables.missing.join(', ')}`,
    { remedy: 'Run the step as a task of Azure Pipelines.', details: { missing: variables.missing } },
  );
}

/** The address for ID tokens names the hub as the service does; the host type is close to it. */
function hubOf(variables: Variables): string {
  const [, named] = /\/hubs\/([a-z]+)\/plans\//i.exec(variables.get('System.OidcRequestUri') ?? '') ?? [];
  return (named ?? variables.get('System.HostType') ?? 'build').toLowerCase();
}
