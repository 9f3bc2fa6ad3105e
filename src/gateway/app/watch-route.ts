import type { FastifyInstance } from 'fastify';
import { callerOf, idOf, type RouteContext } from './route-context.ts';
import { answers, bytes, RUN_PARAMS } from './route-schema.ts';
import { RESUMABLE, streamStory } from './watch-stream.ts';

/** The events of a run as they happen. */
export function addWatchRoute(app: FastifyInstance, context: RouteContext): void {
  const { services, recorder } = context;
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
      ...RESUMABLE,
      ...answers({ 200: bytes('text/event-stream', 'The stream.') }),
    },
    handler: async (request, reply) => {
      const caller = callerOf(request);
      const run = await services.runs.read(caller, idOf(request));
      await recorder.read(caller, run.id, request);
      await streamStory(request, reply, { id: run.id, ended: run.endedAt !== undefined, caller }, context);
    },
  });
}
