import { randomUUID } from 'node:crypto';
import type { Clock } from '#core/clock.ts';
import {
  attachmentResource,
  attachmentsResource,
  buildsResource,
  propertiesResource,
  tagsResource,
  timelineResource,
} from './build-api.ts';
import type { ApiResource } from './devops-api.ts';
import { DevOpsError } from './devops-error.ts';
import { bearer, type Incoming, type Reply, type Service } from './exchange.ts';
import { pullRequestStatusesResource } from './git-api.ts';
import type { IdTokens } from './id-tokens.ts';
import type { JobTokens, TokenHolder } from './job-tokens.ts';
import { connectionDataResource, resourceAreasResource } from './location-api.ts';
import { oidcTokenResource } from './oidc-token-api.ts';
import type { PipelineRun } from './pipeline-run.ts';
import {
  planAttachmentsResource,
  planRecordsResource,
  planTimelinesResource,
  recordAttachmentsResource,
} from './plan-api.ts';
import { areaLocations, type LocationName, matchLocation } from './resource-locations.ts';
import { signInReply } from './sign-in.ts';
import type { World } from './world.ts';

const RESOURCES: Readonly<Record<LocationName, ApiResource>> = {
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
const NEWEST_VERSION = 7.2;

export interface AzureDevOpsOptions {
  readonly world: World;
  readonly tokens: JobTokens;
  readonly idTokens: IdTokens;
  readonly clock: Clock;
  readonly run: () => PipelineRun | undefined;
}

/** The organization's REST API, at both of its addresses. Only a live job's access token opens it. */
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
    const holder = this.#options.tokens.find(bearer(request.headers));
    if (holder === undefined) return signInReply(request);
    const path = this.#belowCollection(request);
    if (request.method === 'OPTIONS') return { status: 200, headers: commonHeaders(), body: locationsOf(path) };
    const body = await this.#call(request, path, holder);
    if (body instanceof Uint8Array)
      return { status: 200, headers: { ...commonHeaders(), 'content-type': 'application/octet-stream' }, body };
    return {
      status: 200,
      headers: {
        ...commonHeaders(),
        'content-type': `application/json; charset=utf-8; api-version=${apiVersion(request) ?? '7.1'}`,
      },
      body,
    };
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

  async #call(request: Incoming, path: string, holder: TokenHolder): Promise<unknown> {
    checkVersion(request);
    const run = this.#options.run();
    const match = matchLocation(path);
    if (match === undefined || run === undefined) throw notFound(path);
    const handler = RESOURCES[match.location][request.method];
    if (handler === undefined) {
      throw new DevOpsError(
        405,
        'HttpRequestException',
        `The requested resource does not support http method '${request.method}'.`,
        'System.Net.Http',
      );
    }
    const { world, idTokens, clock } = this.#options;
    return handler({ request, values: match.values, holder, run, world, idTokens, clock });
  }
}

function notFound(path: string): DevOpsError {
  return new DevOpsError(
    404,
    'HttpException',
    `The controller for path '${path}' was not found or does not implement IController.`,
    'System.Web',
  );
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
