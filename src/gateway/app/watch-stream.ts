import type { ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../auth/caller.ts';
import { streamEvents } from './event-stream.ts';
import { Problem } from './problem.ts';
import type { RouteContext } from './route-context.ts';

const HEAD = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-store, no-transform',
  'x-accel-buffering': 'no',
  // Nothing else comes on it: a gateway that stops need not wait for what might.
  connection: 'close',
  'x-content-type-options': 'nosniff',
} as const;
const NUMBER = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER } as const;
/** Longest time that a timer can hold. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Where a stream begins, as the schema of a route says it. */
export const RESUMABLE = {
  headers: { type: 'object', properties: { 'last-event-id': { ...NUMBER, description: 'Goes on behind it.' } } },
  querystring: {
    type: 'object',
    additionalProperties: false,
    properties: { after: { ...NUMBER, description: 'As Last-Event-ID, which wins.' } },
  },
} as const;

/** What is told, to whom. */
export interface Story {
  readonly id: string;
  /** It is stored to its end. */
  readonly ended: boolean;
  readonly caller: Caller;
}

export type StreamContext = Pick<
  RouteContext,
  'services' | 'watchers' | 'timeouts' | 'maxWatchers' | 'streams' | 'stopping'
>;

/** Answers with the updates of a run as server-sent events, until its end. @throws {Problem} `too-many-watchers` */
export async function streamStory(
  request: FastifyRequest,
  reply: FastifyReply,
  story: Story,
  context: StreamContext,
): Promise<void> {
  const { services, streams, maxWatchers } = context;
  if (streams.open >= maxWatchers) throw new Problem('too-many-watchers', 'Too many event streams are open', RETRY);
  reply.hijack();
  streams.open++;
  services.metrics.watching(1);
  try {
    await watch(reply.raw, request, story, context);
  } finally {
    streams.open--;
    services.metrics.watching(-1);
  }
}

const RETRY = { headers: { 'retry-after': '10' } };

async function watch(
  response: ServerResponse,
  request: FastifyRequest,
  { id, ended, caller }: Story,
  context: StreamContext,
): Promise<void> {
  const { services, watchers, timeouts } = context;
  const watched = watchers.watch(id);
  const life = lifeOf(response, caller.expiresAt - services.clock.now(), context.stopping);
  try {
    response.writeHead(200, { ...HEAD, 'x-request-id': request.id });
    const end = await streamEvents(response, {
      runId: id,
      after: afterOf(request),
      ended,
      frames: watchers.frames,
      watch: watched,
      heartbeatMs: timeouts.heartbeatMs,
      slowMs: timeouts.slowWatcherMs,
      signal: life.signal,
    });
    if (end === 'slow' && !response.destroyed) services.metrics.watcherWasSlow();
    // What a slow watcher has not read it will ask for again.
    if (end === 'slow') response.destroy();
    else response.end();
  } catch (error) {
    request.log.error({ cause: error instanceof Error ? error.message : 'unknown' }, 'event stream broke');
    response.destroy();
  } finally {
    life.over();
    watched.leave();
  }
}

/** Ends with the watcher, with its token, and with the gateway. */
function lifeOf(
  response: ServerResponse,
  tokenMs: number,
  stopping: AbortSignal,
): { signal: AbortSignal; over(): void } {
  const life = new AbortController();
  const expired = () => life.abort('the token has expired, resume with another one and Last-Event-ID');
  const timer = setTimeout(expired, Math.min(Math.max(0, tokenMs), MAX_TIMER_MS));
  const stop = () => life.abort(stopping.reason);
  const left = () => life.abort();
  response.on('close', left).on('error', left);
  stopping.addEventListener('abort', stop, { once: true });
  if (stopping.aborted) stop();
  if (response.destroyed) left();
  return {
    signal: life.signal,
    over: () => {
      clearTimeout(timer);
      stopping.removeEventListener('abort', stop);
    },
  };
}

function afterOf(request: FastifyRequest): number {
  const header = request.headers['last-event-id'] as number | string | undefined;
  return Number(header ?? (request.query as { after?: number }).after ?? 0);
}
