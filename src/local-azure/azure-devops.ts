import { randomUUID } from 'node:crypto';
import type { Clock } from '#core/clock.ts';
import {
  attachmentResource,
  attachmentsResource,
  buildsResource,
  propertiesResource,
  readBuild,
  tagsResource,
  timelineResource,
} from './build-api.ts';
import { listedBuilds } from './build-list.ts';
import type { ApiCall, ApiResource, RunCall } from './devops-api.ts';
import { DevOpsError } from './devops-error.ts';
import { bearer, type Incoming, type Reply, type Service } from './exchange.ts';
import { pullRequestStatusesResource } from './git-api.ts';
import type { IdTokens } from './id-tokens.ts';
import type { JobTokens } from './job-tokens.ts';
import { connectionDataResource, memberDataResource, resourceAreasResource } from './location-api.ts';
import { type MemberCall, type MemberResource, runOf } from './member-call.ts';
import { memberOf } from './member-token.ts';
import { oidcTokenResource } from './oidc-token-api.ts';
import { permissionMissing } from './pipeline-error.ts';
import type { PipelineQueue } from './pipeline-queue.ts';
import type { PipelineRuns } from './pipeline-runs.ts';
import { pipelineRunsResource } from './pipelines-api.ts';
import {
  planAttachmentsResource,
  planRecordsResource,
  planTimelinesResource,
  recordAttachmentsResource,
} from './plan-api.ts';
import { areaLocations, type LocationName, matchLocation } from './resource-locations.ts';
import type { RunTokenHolder } from './run-session.ts';
import { signInReply } from './sign-in.ts';
import type { SigningKey } from './signing-key.ts';
import type { Identity, World } from './world.ts';

/** What the token of a job opens, for its own run. */
const JOB_RESOURCES: Readonly<Partial<Record<LocationName, ApiResource>>> = {
  resourceAreas: resourceAreasResource,
  connectionData: connectionDataResource,
  builds: buildsResource,
  tags: tagsResource,
  properties: propertiesResource,
  timeline: timelineResource,
  attachments: attachmentsResource,
  attachment: attachmentResource,
  oidcToken: oidcTokenResource,
  planAttachments: planAttachmentsResource,
  recordAttachments: recordAttachmentsResource,
  planTimelines: planTimelinesResource,
  planRecords: planRecordsResource,
  pullRequestStatuses: pullRequestStatusesResource,
};
/** What the token of an identity opens, for whatever it has permissions. */
const MEMBER_RESOURCES: Readonly<Partial<Record<LocationName, MemberResource>>> = {
  resourceAreas: resourceAreasResource,
  connectionData: memberDataResource,
  pipelineRuns: pipelineRunsResource,
  builds: {
    GET: (call) => (call.values['buildId'] === undefined ? listedBuilds(call) : readBuild(asRun(call))),
  },
  tags: {
    GET: (call) => tagsResource.GET(asRun(call)),
    POST: tagging('POST'),
    PUT: tagging('PUT'),
    DELETE: tagging('DELETE'),
    PATCH: tagging('PATCH'),
  },
};
const NEWEST_VERSION = 7.2;

export interface AzureDevOpsOptions {
  readonly world: World;
  readonly tokens: JobTokens<RunTokenHolder>;
  readonly idTokens: IdTokens;
  /** Of Entra, whose access tokens are taken too. */
  readonly entraKey: SigningKey;
  readonly clock: Clock;
  readonly runs: PipelineRuns;
  readonly queue: Pick<PipelineQueue, 'queue' | 'file'>;
}

/** Who asks: a job for its own run, or an identity that is a user of the organization. */
type Asker = { readonly holder: RunTokenHolder } | { readonly member: Identity };

/** The organization's REST API, at both of its addresses. Access tokens of live jobs and of Entra open it. */
export class AzureDevOps implements Service {
  readonly #options: AzureDevOpsOptions;

  constructor(options: AzureDevOpsOptions) {
    this.#options = options;
  }

  async handle(request: Incoming): Promise<Reply> {
    try {
      return await this.#answer(request);
    } catch (error) {
      if (!(error instanceof DevOpsError)) throw error;
      const reply = error.reply();
      return { ...reply, headers: { ...commonHeaders(), ...reply.headers } };
    }
  }

  failure(status: number): Reply {
    const [typeKey, message] =
      status === 429
        ? [
            'RequestBlockedException',
            'TF400733: The request has been canceled: Request was blocked due to exceeding usage of resource.',
          ]
        : ['HttpException', `TF400898: An Internal Error Occurred. Activity Id: ${randomUUID()}.`];
    return new DevOpsError(status, typeKey, message).reply();
  }

  async #answer(request: Incoming): Promise<Reply> {
    const asker = await this.#asker(request);
    if (asker === undefined) return signInReply(request);
    const path = this.#belowCollection(request);
    if (request.method === 'OPTIONS') return { status: 200, headers: commonHeaders(), body: locationsOf(path) };
    const answer = await this.#call(request, path, asker);
    if (answer instanceof Uint8Array)
      return { status: 200, headers: { ...commonHeaders(), 'content-type': 'application/octet-stream' }, body: answer };
    const type = `application/json; charset=utf-8; api-version=${apiVersion(request) ?? '7.1'}`;
    const { headers = {}, body } = isListed(answer) ? answer : { body: answer };
    return { status: 200, headers: { ...commonHeaders(), 'content-type': type, ...headers }, body };
  }

  async #asker({ headers }: Incoming): Promise<Asker | undefined> {
    const { tokens, world, entraKey, clock } = this.#options;
    const token = bearer(headers);
    if (token === undefined) return undefined;
    const holder = tokens.find(token);
    if (holder !== undefined) return { holder };
    const member = await memberOf(token, world.organization, entraKey, clock.now());
    return member && { member };
  }

  #belowCollection({ host, url }: Incoming): string {
    if (host !== 'dev.azure.com') return url.pathname;
    const [, organization = '', ...rest] = url.pathname.split('/');
    if (organization.toLowerCase() === this.#options.world.organization.name.toLowerCase()) return `/${rest.join('/')}`;
    throw new DevOpsError(
      404,
      'HostNotFoundException',
      `TF400813: The organization ${organization} was not found.`,
      'Microsoft.VisualStudio.Services.WebApi',
    );
  }

  async #call(request: Incoming, path: string, asker: Asker): Promise<unknown> {
    checkVersion(request);
    const match = matchLocation(path);
    if (match === undefined) throw notFound(path);
    const { world, idTokens, clock, runs, queue } = this.#options;
    const { location, values } = match;
    if ('holder' in asker) {
      const { holder } = asker;
      const handler = handlerOf(JOB_RESOURCES[location], request);
      return handler({ request, values, holder, run: holder.run, world, idTokens, clock });
    }
    const { member } = asker;
    return handlerOf(MEMBER_RESOURCES[location], request)({ request, values, member, runs, queue, world, clock });
  }
}

function handlerOf<Call extends ApiCall | MemberCall>(
  resource: Readonly<Record<string, (call: Call) => unknown>> | undefined,
  { method }: Incoming,
): (call: Call) => unknown {
  if (resource === undefined)
    throw new DevOpsError(
      403,
      'AccessDeniedException',
      'VS403363: Access denied. The caller is not allowed to use this resource.',
      'Microsoft.TeamFoundation.Framework.Server',
    );
  const handler = Object.hasOwn(resource, method) ? resource[method] : undefined;
  if (handler !== undefined) return handler;
  throw new DevOpsError(
    405,
    'HttpRequestException',
    `The requested resource does not support http method '${method}'.`,
    'System.Net.Http',
  );
}

/** A build of the path, for what is the same whoever asks. */
function asRun(call: MemberCall): RunCall {
  const { request, values, world } = call;
  return { request, values, world, run: runOf(call) };
}

function tagging(method: 'POST' | 'PUT' | 'DELETE' | 'PATCH'): (call: MemberCall) => unknown {
  return (call) => {
    const run = asRun(call);
    const definition = run.run.request?.definition;
    if (definition !== undefined && !definition.tagBuilds.includes(call.member))
      throw permissionMissing('Update build information', call.member, definition);
    return tagsResource[method](run);
  };
}

function notFound(path: string): DevOpsError {
  return new DevOpsError(
    404,
    'HttpException',
    `The controller for path '${path}' was not found or does not implement IController.`,
    'System.Web',
  );
}

/** A list that comes with headers of its own. */
function isListed(answer: unknown): answer is Reply {
  return typeof answer === 'object' && answer !== null && 'headers' in answer && 'status' in answer;
}

function locationsOf(path: string): unknown {
  const area = /^\/_apis\/([^/]+)\/?$/i.exec(path)?.[1];
  if (area === undefined) throw notFound(path);
  const found = areaLocations(area);
  return { count: found.length, value: found };
}

function apiVersion({ url, headers }: Incoming): string | undefined {
  return url.searchParams.get('api-version') ?? /api-version=([^;,\s]+)/i.exec(String(headers.accept ?? ''))?.[1];
}

/** Only reading goes without a version. */
function checkVersion(request: Incoming): void {
  const version = apiVersion(request);
  if (version === undefined) {
    if (request.method === 'GET') return;
    throw new DevOpsError(
      400,
      'VssVersionNotSpecifiedException',
      `No api-version was supplied for the "${request.method}" request. The version must be supplied either as part of the Accept header (e.g. "application/json; api-version=1.0") or as a query parameter (e.g. "?api-version=1.0").`,
      'Microsoft.VisualStudio.Services.WebApi',
    );
  }
  const number = /^(\d+\.\d+)(-preview(\.\d+)?)?$/.exec(version)?.[1];
  if (number !== undefined && Number(number) >= 1 && Number(number) <= NEWEST_VERSION) return;
  throw new DevOpsError(
    400,
    'VssVersionOutOfRangeException',
    `The requested REST API version of ${version} is out of range for this server. The latest REST API version this server supports is ${NEWEST_VERSION}.`,
    'Microsoft.VisualStudio.Services.WebApi',
  );
}

function commonHeaders(): Record<string, string> {
  const activity = randomUUID();
  return {
    'x-vss-e2eid': activity,
    activityid: activity,
    'x-tfs-processid': randomUUID(),
    'cache-control': 'no-cache',
  };
}
