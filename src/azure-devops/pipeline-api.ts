import type { Clock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import type { Secret } from '#core/secret.ts';
import type { Http, HttpRequest } from '#http/http.ts';
import { HttpResponse } from '#http/http-response.ts';
import { retryAfterMs } from '#http/retry.ts';
import {
  field,
  jsonOf,
  lostAnswer,
  messageOf,
  nameOf,
  type QueueAnswer,
  queueAnswer,
  refusalOf,
} from './pipeline-answers.ts';

/** The scope of tokens for Azure DevOps: its application in every tenant of the public cloud. */
export const AZURE_DEVOPS_SCOPE = '499b84ac-1321-427f-aa17-267ca6975798/.default';

/** Everything of a request to queue a run; nothing else is ever sent with it. */
export interface QueueRequest {
  readonly project: string;
  readonly pipeline: number;
  /** In full: `refs/heads/main`. */
  readonly ref: string;
  /** The service takes text only. */
  readonly templateParameters: Readonly<Record<string, string>>;
}

/** A run as the Build API tells it: it knows more states than the Pipelines API. Times are milliseconds since the epoch. */
export interface SeenRun {
  readonly id: number;
  readonly name: string;
  /** `notStarted`, `inProgress`, `completed`, …; as it came. */
  readonly status: string;
  /** Only with `completed`. */
  readonly result: string;
  /** Why it was queued: `manual` also for whoever does it by REST. */
  readonly reason: string;
  readonly startedAt?: number | undefined;
  readonly endedAt?: number | undefined;
  /** Absent: this answer does not say. */
  readonly templateParameters?: Readonly<Record<string, unknown>> | undefined;
}

/** Pipeline runs of one organization, by REST (7.1). No redirect is followed, and nothing is sent again by itself. */
export interface PipelineApi {
  /** What is wrong with the identity is known before anything is sent. @throws what the identity throws */
  authorize(signal: AbortSignal): Promise<Secret>;
  /** Never rejects for what Azure DevOps or the network does. @param token of `authorize` */
  queue(request: QueueRequest, token: Secret, signal: AbortSignal): Promise<QueueAnswer>;
  /** Those of the ids that are there. @throws {PlumblineError} `ERR_PIPELINE_REFUSED`, `ERR_HTTP_*` with `details.retryAfterMs` */
  runs(project: string, ids: readonly number[], signal: AbortSignal): Promise<SeenRuns>;
  /** Every run of the pipeline that was queued since then. @throws as `runs` */
  runsSince(project: string, pipeline: number, since: number, signal: AbortSignal): Promise<readonly SeenRun[]>;
  /** Template parameters of a run; `undefined` when the service does not say. @throws as `runs` */
  templateParameters(
    project: string,
    pipeline: number,
    id: number,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, unknown>> | undefined>;
  /** @throws as `runs` */
  tag(project: string, id: number, tags: readonly string[], signal: AbortSignal): Promise<void>;
}

export interface SeenRuns {
  readonly runs: readonly SeenRun[];
  /** Azure DevOps asks for a pause before the next request, in milliseconds. */
  readonly pauseMs?: number | undefined;
}

export interface PipelineApiOptions {
  /** `OrganizationAddress.base`. */
  readonly base: string;
  readonly http: Http;
  /** For {@link AZURE_DEVOPS_SCOPE}. */
  readonly token: (signal: AbortSignal) => Promise<Secret>;
  readonly clock: Clock;
}

const VERSION = 'api-version=7.1';
const TIMEOUT_MS = 60_000;
const MAX_BODY_BYTES = 8 * 1_048_576;
/** Runs of a page: with the largest parameters that callers may give they stay below the cap. */
const PAGE = 50;
/** Far more than any pipeline queues within a day. */
const MOST_PAGES = 200;

export function pipelineApi({ base, http, token, clock }: PipelineApiOptions): PipelineApi {
  const send = async (
    request: Omit<HttpRequest, 'headers'>,
    signal: AbortSignal,
    authorized?: Secret,
  ): Promise<HttpResponse> => {
    const bearer = authorized ?? (await token(signal));
    const response = await http.request({
      timeoutMs: TIMEOUT_MS,
      maxBodyBytes: MAX_BODY_BYTES,
      maxAttempts: 1,
      ...request,
      headers: {
        authorization: `Bearer ${bearer.reveal()}`,
        accept: 'application/json',
        'x-tfs-fedauthredirect': 'Suppress',
        ...(request.body !== undefined && { 'content-type': 'application/json' }),
      },
      signal,
    });
    return withoutToken(response, request, bearer);
  };
  const read = async (path: string, signal: AbortSignal) => {
    const response = await send({ method: 'GET', url: `${base}${path}` }, signal);
    return required(response, clock.now());
  };
  return {
    authorize: token,
    queue: async ({ project, pipeline, ref, templateParameters }, authorized, signal) => {
      const url = `${base}/${encodeURIComponent(project)}/_apis/pipelines/${pipeline}/runs?${VERSION}`;
      const body = JSON.stringify({ resources: { repositories: { self: { refName: ref } } }, templateParameters });
      try {
        return queueAnswer(
          await send({ method: 'POST', url, body, idempotent: false }, signal, authorized),
          clock.now(),
        );
      } catch (thrown) {
        signal.throwIfAborted();
        return lostAnswer(thrown);
      }
    },
    runs: async (project, ids, signal) => {
      const response = await read(`${builds(project)}?buildIds=${ids.join(',')}&${VERSION}`, signal);
      return { runs: runsOf(response), pauseMs: retryAfterMs(response.header('retry-after'), clock.now()) };
    },
    runsSince: async (project, pipeline, since, signal) => {
      const minTime = encodeURIComponent(new Date(since).toISOString());
      const query = `definitions=${pipeline}&minTime=${minTime}&queryOrder=queueTimeDescending&$top=${PAGE}&${VERSION}`;
      return allPages((more) => read(`${builds(project)}?${query}${more}`, signal));
    },
    templateParameters: async (project, pipeline, id, signal) => {
      const path = `/${encodeURIComponent(project)}/_apis/pipelines/${pipeline}/runs/${id}?${VERSION}`;
      return parametersOf(jsonOf(await read(path, signal)));
    },
    tag: async (project, id, tags, signal) => {
      const url = `${base}${builds(project)}/${id}/tags?${VERSION}`;
      required(await send({ method: 'POST', url, body: JSON.stringify(tags), idempotent: true }, signal), clock.now());
    },
  };
}

/** Whoever says the token back, in an error for example, is not heard: what it says is shown and kept. */
function withoutToken(
  response: HttpResponse,
  { method, url }: Pick<HttpRequest, 'method' | 'url'>,
  token: Secret,
): HttpResponse {
  if (!response.body.includes(token.reveal())) return response;
  const { status, headers } = response;
  return new HttpResponse({ method, url: new URL(url) }, { status, headers, body: Buffer.alloc(0) });
}

function builds(project: string): string {
  return `/${encodeURIComponent(project)}/_apis/build/builds`;
}

async function allPages(page: (more: string) => Promise<HttpResponse>): Promise<readonly SeenRun[]> {
  const found: SeenRun[] = [];
  let more = '';
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    const response = await page(more);
    found.push(...runsOf(response));
    const token = response.header('x-ms-continuationtoken');
    if (!token) return found;
    more = `&continuationToken=${encodeURIComponent(token)}`;
  }
  // A list that was not read to its end proves nothing.
  throw unreadable('the list of runs does not end');
}

function required(response: HttpResponse, now: number): HttpResponse {
  const { status } = response;
  const reason = refusalOf(response);
  if (reason !== undefined)
    throw new PlumblineError('ERR_PIPELINE_REFUSED', `Azure DevOps refuses: ${messageOf(response)}`, {
      details: { reason, status },
    });
  if (status === 200 || status === 204) return response;
  throw new PlumblineError('ERR_HTTP_STATUS', `Azure DevOps answered with HTTP ${status}`, {
    details: { status, retryAfterMs: retryAfterMs(response.header('retry-after'), now) },
  });
}

function runsOf(response: HttpResponse): readonly SeenRun[] {
  const list = field(jsonOf(response), 'value');
  if (!Array.isArray(list)) throw unreadable('the answer is no list of runs');
  return list.map(runOf);
}

function runOf(one: unknown): SeenRun {
  const id = field(one, 'id');
  if (typeof id !== 'number') throw unreadable('a run has no number');
  return {
    id,
    name: nameOf(field(one, 'buildNumber')),
    status: wordOf(field(one, 'status')),
    result: wordOf(field(one, 'result')),
    reason: wordOf(field(one, 'reason')),
    startedAt: timeOf(field(one, 'startTime')),
    endedAt: timeOf(field(one, 'finishTime')),
    templateParameters: parametersOf(one),
  };
}

function parametersOf(one: unknown): Readonly<Record<string, unknown>> | undefined {
  const parameters = field(one, 'templateParameters');
  const isMap = typeof parameters === 'object' && parameters !== null && !Array.isArray(parameters);
  return isMap ? (parameters as Readonly<Record<string, unknown>>) : undefined;
}

function wordOf(word: unknown): string {
  return typeof word === 'string' ? word : '';
}

function timeOf(text: unknown): number | undefined {
  const time = typeof text === 'string' ? Date.parse(text) : Number.NaN;
  return Number.isNaN(time) ? undefined : time;
}

function unreadable(why: string): PlumblineError {
  return new PlumblineError('ERR_HTTP_BODY', `Azure DevOps gave an answer that cannot be used: ${why}`);
}
