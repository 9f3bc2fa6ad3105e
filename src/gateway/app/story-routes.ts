import { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { GraphNode } from '#core/graph.ts';
import type { RunRecord } from '../runs/run-record.ts';
import { byteRange } from './byte-range.ts';
import { Problem } from './problem.ts';
import { callerOf, idOf, type RouteContext } from './route-context.ts';
import { answers, bytes, json, RUN_PARAMS } from './route-schema.ts';
import { safeOutput } from './safe-output.ts';

/** What a run left: its output, its graph, its lineage. */
export function addStoryRoutes(app: FastifyInstance, context: RouteContext): void {
  addLogs(app, context);
  addGraph(app, context);
  addLineage(app, context);
}

function addLogs(app: FastifyInstance, context: RouteContext): void {
  app.get('/v1/runs/:id/logs', {
    handlerTimeout: context.timeouts.uploadMs,
    schema: {
      tags: ['runs'],
      operationId: 'readLogs',
      summary: 'What the worker and its tasks wrote, as far as it is there',
      description: 'In parts by `Range: bytes=`. `##vso` and `##[` have an underscore for their last character.',
      params: RUN_PARAMS,
      headers: { type: 'object', properties: { range: { type: 'string', maxLength: 64 } } },
      ...answers({
        200: bytes('text/plain', 'All of it.'),
        206: bytes('text/plain', 'The part that was asked for.'),
      }),
    },
    handler: async (request, reply) => sendLogs(await reading(request, context), request, reply, context),
  });
}

async function sendLogs(
  { id }: RunRecord,
  request: FastifyRequest,
  reply: FastifyReply,
  { services: { runs } }: RouteContext,
): Promise<FastifyReply> {
  const read = (range: { start: number; end?: number | undefined }) => runs.output(id, range);
  const { total, droppedBytes } = await read({ start: 0, end: 0 });
  // Without a validator of the whole, a conditional range cannot be known to fit.
  const asked = request.headers['if-range'] === undefined ? request.headers.range : undefined;
  const range = byteRange(asked, total);
  if (range === 'unsatisfiable')
    throw new Problem('range-not-satisfiable', `The output has ${total} bytes`, {
      headers: { 'content-range': `bytes */${total}` },
    });
  const { start, end } = range ?? { start: 0, end: total };
  return reply
    .code(range === undefined ? 200 : 206)
    .headers({
      'content-type': 'text/plain; charset=utf-8',
      'content-length': end - start,
      'accept-ranges': 'bytes',
      'cache-control': 'no-store',
      ...(range !== undefined && { 'content-range': `bytes ${start}-${end - 1}/${total}` }),
      ...(droppedBytes > 0 && { 'plumbline-dropped-bytes': droppedBytes }),
    })
    .send(Readable.from(safeOutput(read, { start, end }), { objectMode: false }));
}

function addGraph(app: FastifyInstance, context: RouteContext): void {
  app.get('/v1/runs/:id/graph', {
    schema: {
      tags: ['runs'],
      operationId: 'readGraph',
      summary: 'The tasks of a run and what they depend on, as far as they are known',
      params: RUN_PARAMS,
      ...answers({ 200: json('Graph') }),
    },
    handler: async (request, reply) => {
      const run = await reading(request, context);
      const graph = await context.services.runs.graph(callerOf(request), run.id);
      if (graph === undefined) throw new Problem('graph-unknown', 'The run has told of no root task yet, or never did');
      const { root, nodes } = graph;
      return reply.header('cache-control', 'no-store').send({ root, nodes: [...nodes.values()].map(nodeView) });
    },
  });
}

function addLineage(app: FastifyInstance, context: RouteContext): void {
  app.get('/v1/runs/:id/lineage', {
    schema: {
      tags: ['runs'],
      operationId: 'readLineage',
      summary: 'OpenLineage events of a run that ended',
      params: RUN_PARAMS,
      ...answers({ 200: json('Lineage') }),
    },
    handler: async (request, reply) => {
      const run = await reading(request, context);
      const lineage = await context.services.runs.lineage(callerOf(request), run.id);
      if (lineage === undefined) throw new Problem('run-not-ended', 'The run goes on: its lineage is told at its end');
      const { events, omittedDatasets } = lineage;
      return reply.header('cache-control', 'no-store').send({ events, omittedDatasets });
    },
  });
}

function nodeView({ id, family, dependsOn }: GraphNode): GraphNode {
  return { id, family, dependsOn };
}

/** The run, and a record that it was read. */
async function reading(request: FastifyRequest, { services, recorder }: RouteContext): Promise<RunRecord> {
  const caller = callerOf(request);
  const run = await services.runs.read(caller, idOf(request));
  await recorder.read(caller, run.id, request);
  return run;
}
