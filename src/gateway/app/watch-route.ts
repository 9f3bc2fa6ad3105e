import type { ServerResponse } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Caller } from '../auth/caller.ts';
import type { RunRecord } from '../runs/run-record.ts';
import { streamEvents } from './event-stream.ts';
import { Problem } from './problem.ts';
import { callerOf, idOf, type RouteContext } from './route-context.ts';
import { answers, bytes, RUN_PARAMS } from './route-schema.ts';

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

/** The events of a run as they happen. */
export function addWatchRoute(app: FastifyInstance, context: RouteContext): void {
  const { services, recorder } = context;
  let open = 0;
  app.get('/v1/runs/:id/events', {
    exposeHeadRoute: false,
    config: { stream: true },
    schema: {
      tags: ['runs'],
      operationId: 'watchRun',
      summary: 'Every update of a run as server-sent events; resumable',
      description:
        '`event: update` with a number as `id:` and an update as JSON in `data:`; the outcome is the last, then `event: end`.',
      params: RUN_PARAMS,
      headers: { type: 'object', properties: { 'last-event-id': { ...NUMBER, description: 'Goes on behind it.' } } },
      querystring: {
        type: 'object',
        additionalProperties: false,
        properties: { after: { ...NUMBER, description: 'As Last-Event-ID, which wins.' } },
      },
      ...answers({ 200: bytes('text/event-stream', 'The stream.') }),
    },
    handler: async (request, reply) => {
      const caller = callerOf(request);
      const run = await services.runs.read(caller, idOf(request));
      await recorder.read(caller, run.id, request);
      if (open >= context.maxWatchers) throw new Problem('too-many-watchers', 'Too many event streams are open', RETRY);
      reply.hijack();
      open++;
      services.metrics.watching(1);
      try {
        await watch(reply.raw, request, { run, caller }, context);
      } finally {
        open--;
        services.metrics.watching(-1);
      }
    },
  });
}

const RETRY = { headers: { 'retry-after': '10' } };

async function watch(
  response: ServerResponse,
  request: FastifyRequest,
  { run, caller }: { readonly run: RunRecord; readonly caller: Caller },
  context: RouteContext,
): Promise<void> {
  const { services, watchers, timeouts } = context;
  const watched = watchers.watch(run.id);
  const life = lifeOf(response, caller.expiresAt - services.clock.now(), context.stopping);
  try {
    response.writeHead(200, { ...HEAD, 'x-request-id': request.id });
    const end = await streamEvents(response, {
      runId: run.id,
      after: afterOf(request),
      ended: run.endedAt !== undefined,
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
