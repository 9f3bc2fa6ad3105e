import { checkProject } from './build-api.ts';
import { type ApiCall, type ApiResource, jsonBody, list } from './devops-api.ts';
import { DevOpsError, invalidArgument } from './devops-error.ts';
import type { PullRequestStatus } from './pipeline-run.ts';

/** In the order of their numbers, which clients may send instead. */
const STATES = ['notSet', 'pending', 'succeeded', 'failed', 'error', 'notApplicable'];

export const pullRequestStatusesResource: ApiResource = {
  GET: (call) => {
    checkPullRequest(call);
    const { statusId } = call.values;
    if (statusId === undefined) return list(call.run.statuses.map(described));
    const found = call.run.statuses.find(({ id }) => String(id) === statusId);
    if (found === undefined)
      throw new DevOpsError(
        404,
        'GitStatusNotFoundException',
        `The status ${statusId} could not be found.`,
        'Microsoft.TeamFoundation.Git.Server',
      );
    return described(found);
  },
  POST: (call) => {
    checkPullRequest(call);
    const status = readStatus(jsonBody(call, 'application/json'), call);
    call.run.statuses.push(status);
    return described(status);
  },
};

/** The only pull request that exists is the one that the run builds (`refs/pull/N/merge`). */
function checkPullRequest(call: ApiCall): void {
  checkProject(call);
  const { repository, branch } = call.run.facts;
  const wanted = call.values['repositoryId']?.toLowerCase();
  if (wanted !== repository.id.toLowerCase() && wanted !== repository.name.toLowerCase()) {
    throw new DevOpsError(
      404,
      'GitRepositoryNotFoundException',
      `TF401019: The Git repository with name or identifier ${call.values['repositoryId']} does not exist or you do not have permissions for the operation you are attempting.`,
      'Microsoft.TeamFoundation.Git.Server',
    );
  }
  if (/^refs\/pull\/(\d+)\//.exec(branch)?.[1] === call.values['pullRequestId']) return;
  throw new DevOpsError(
    404,
    'GitPullRequestNotFoundException',
    `TF401180: The requested pull request was not found.`,
    'Microsoft.TeamFoundation.Git.Server',
  );
}

function readStatus(body: unknown, call: ApiCall): PullRequestStatus {
  const given = Object(body) as {
    state?: unknown;
    description?: unknown;
    targetUrl?: unknown;
    context?: { name?: unknown; genre?: unknown };
  };
  const state = typeof given.state === 'number' ? STATES[given.state] : STATES.find((each) => each === given.state);
  if (state === undefined) throw invalidArgument(`The status state ${String(given.state)} is not valid.`);
  const name = given.context?.name;
  if (typeof name !== 'string' || name === '') throw invalidArgument('The status context must have a name.');
  return {
    id: call.run.statuses.length + 1,
    state,
    description: typeof given.description === 'string' ? given.description : undefined,
    context: { name, genre: typeof given.context?.genre === 'string' ? given.context.genre : undefined },
    targetUrl: typeof given.targetUrl === 'string' ? given.targetUrl : undefined,
    createdAt: call.clock.now(),
  };
}

function described({ createdAt, ...status }: PullRequestStatus): object {
  const at = new Date(createdAt).toISOString();
  return { ...status, creationDate: at, updatedDate: at };
}
