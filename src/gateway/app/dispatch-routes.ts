import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { PipelineDispatch } from '../dispatch/pipeline-dispatch.ts';
import type { PipelineRun, PipelineRunRequest } from '../dispatch/pipeline-run.ts';
import { fullRef, invalid } from '../dispatch/pipeline-run-request.ts';
import { dispatchProblem } from './dispatch-problems.ts';
import { PIPELINE_RUN_FIELDS } from './dispatch-schemas.ts';
import { pipelineRunView } from './pipeline-run-view.ts';
import { Problem } from './problem.ts';
import { idOf, type RouteContext } from './route-context.ts';
import { answers, bytes, IDEMPOTENCY_KEY, json, RUN_PARAMS } from './route-schema.ts';
import { withoutRunToken } from './run-routes.ts';
import { RunWatchers } from './run-watchers.ts';
import { RESUMABLE, streamStory } from './watch-stream.ts';

/** What the routes of pipeline runs stand on. */
export interface DispatchServices {
  readonly runs: Pick<PipelineDispatch, 'create' | 'settled' | 'read' | 'updates' | 'watch'>;
  /** The canonical name of an organization; without a name that of the only one. `undefined`: it names none. */
  readonly organizationOf: (name: string | undefined) => string | undefined;
}

const BASE = '/v1/azure-devops/pipeline-runs';
/** Whoever does not wait for the end waits for the answer of Azure DevOps. */
const QUEUED_WITHIN_MS = 20_000;
const ENDED_WITHIN_MS = 50_000;
const HANDLER_MS = 60_000;

/** Queue an Azure pipeline, and see what becomes of it. */
export function addDispatchRoutes(app: FastifyInstance, context: RouteContext, services: DispatchServices): void {
  addCreate(app, context, services);
  addRead(app, context, services);
  addOutcome(app, context, services);
  addEvents(app, context, services);
}

function addCreate(app: FastifyInstance, context: RouteContext, services: DispatchServices): void {
  const { runs } = services;
  const { linkBase } = context;
  app.post(BASE, {
    handlerTimeout: HANDLER_MS,
    schema: {
      tags: ['azure-devops'],
      operationId: 'queuePipeline',
      summary: 'Queue an Azure pipeline, or find the run of the key',
      headers: IDEMPOTENCY_KEY,
      body: { $ref: 'CreatePipelineRun#' },
      ...answers({
        200: json('PipelineRun', 'The run of this key.'),
        201: json('PipelineRun', 'A new run.'),
        202: json('PipelineRun', 'A new one; Azure DevOps has not answered yet.'),
      }),
    },
    preValidation: async (request) => refuseUnknownFields(request.body),
    handler: async (request, reply) => {
      const caller = withoutRunToken(request);
      const { wait = false } = request.body as { readonly wait?: boolean };
      const made = await told(async () => {
        const wanted = requestOf(request.body as Body, services);
        const { run, created } = await runs.create(caller, keyOf(request), wanted, request.id);
        return { run: await settled(run.id, wait, context, services), created };
      });
      const view = pipelineRunView(made.run, linkBase);
      return reply
        .code(!made.created ? 200 : made.run.run === undefined ? 202 : 201)
        .header('location', view.links['self'] as string)
        .header('cache-control', 'no-store')
        .send(view);
    },
  });
}

/** A connection that waits is held like an event stream; those who would be too many get the state so far. */
async function settled(
  id: string,
  wait: boolean,
  { streams, maxWatchers, stopping }: RouteContext,
  { runs }: DispatchServices,
): Promise<PipelineRun> {
  const ms = streams.open >= maxWatchers ? 0 : wait ? ENDED_WITHIN_MS : QUEUED_WITHIN_MS;
  streams.open++;
  try {
    return await runs.settled(id, { until: wait ? 'end' : 'queued', ms, signal: stopping });
  } finally {
    streams.open--;
  }
}

function addRead(app: FastifyInstance, { recorder, linkBase }: RouteContext, { runs }: DispatchServices): void {
  app.get(`${BASE}/:id`, {
    schema: {
      tags: ['azure-devops'],
      operationId: 'readPipelineRun',
      summary: 'One pipeline run',
      params: RUN_PARAMS,
      ...answers({ 200: json('PipelineRun') }),
    },
    handler: async (request, reply) => {
      const caller = withoutRunToken(request);
      const run = await told(() => runs.read(caller, idOf(request)));
      await recorder.read(caller, run.id, request);
      return reply.header('cache-control', 'no-store').send(pipelineRunView(run, linkBase));
    },
  });
}

/** One address that says by its status alone how it went, for sensors that look at nothing else. */
function addOutcome(app: FastifyInstance, { recorder, linkBase }: RouteContext, { runs }: DispatchServices): void {
  app.get(`${BASE}/:id/outcome`, {
    schema: {
      tags: ['azure-devops'],
      operationId: 'pipelineRunOutcome',
      summary: 'The run when it has succeeded; 404 while it goes on, 409 when it ended otherwise',
      params: RUN_PARAMS,
      querystring: {
        type: 'object',
        additionalProperties: false,
        properties: { accept: { enum: ['partiallySucceeded'], description: 'Counts as a success, too.' } },
      },
      ...answers({ 200: json('PipelineRun') }),
    },
    handler: async (request, reply) => {
      const caller = withoutRunToken(request);
      const run = await told(() => runs.read(caller, idOf(request)));
      await recorder.read(caller, run.id, request);
      const { accept } = request.query as { readonly accept?: string };
      requireSuccess(run, accept);
      return reply.header('cache-control', 'no-store').send(pipelineRunView(run, linkBase));
    },
  });
}

function addEvents(app: FastifyInstance, context: RouteContext, { runs }: DispatchServices): void {
  const watchers = new RunWatchers({
    updates: (id, after, limit) => runs.updates(id, after, limit),
    watch: (id, notify) => runs.watch(id, notify),
  });
  app.get(`${BASE}/:id/events`, {
    exposeHeadRoute: false,
    config: { stream: true },
    schema: {
      tags: ['azure-devops'],
      operationId: 'watchPipelineRun',
      summary: 'Every update of a pipeline run as server-sent events; resumable',
      description: 'As the events of a run: `event: update` with a number, the outcome last, then `event: end`.',
      params: RUN_PARAMS,
      ...RESUMABLE,
      ...answers({ 200: bytes('text/event-stream', 'The stream.') }),
    },
    handler: async (request, reply) => {
      const caller = withoutRunToken(request);
      const run = await told(() => runs.read(caller, idOf(request)));
      await context.recorder.read(caller, run.id, request);
      const story = { id: run.id, ended: run.endedAt !== undefined, caller };
      await streamStory(request, reply, story, { ...context, watchers });
    },
  });
}

function requireSuccess({ state, endedAt, error, run }: PipelineRun, accepted: string | undefined): void {
  if (endedAt === undefined) throw new Problem('pipeline-run-not-ended', 'The pipeline run has not ended yet');
  if (state === 'succeeded' || state === accepted) return;
  const why = error === undefined ? `it ended as ${state}` : `${error.code}: ${error.message}`;
  const where = run === undefined ? '' : ` See ${run.url}`;
  throw new Problem('pipeline-run-not-succeeded', `The pipeline run did not succeed: ${why}.${where}`, {
    reason: state,
  });
}

async function told<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    throw dispatchProblem(thrown);
  }
}

const NEVER = ['variables', 'yamlOverride', 'stagesToSkip', 'resources', 'previewRun'];

/** By name, which says more than that something is not known: these change what runs, and are never handed on. */
function refuseUnknownFields(body: unknown): void {
  if (typeof body !== 'object' || body === null) return;
  const unknown = Object.keys(body).filter((name) => !PIPELINE_RUN_FIELDS.includes(name));
  const problems = unknown.slice(0, 20).map((name) => ({
    // A name may be anything, also what somebody put there by mistake.
    field: /^[A-Za-z][A-Za-z0-9]{0,31}$/.test(name) ? `body.${name}` : 'body',
    message: NEVER.includes(name) ? 'is never handed on to Azure DevOps' : 'has a field that is not known',
  }));
  const [first] = problems;
  if (first === undefined) return;
  throw new Problem('request-invalid', `The request is not valid: ${first.field} ${first.message}`, { problems });
}

type Body = Omit<PipelineRunRequest, 'organization'> & { readonly organization?: string; readonly key?: string };

function requestOf(body: Body, { organizationOf }: DispatchServices): PipelineRunRequest {
  const { project, pipeline, ref, templateParameters = {}, lineage, claimed = {} } = body;
  const organization = organizationOf(body.organization);
  if (organization === undefined)
    throw invalid(
      'organization',
      body.organization === undefined ? 'is missing' : 'is no organization of Azure DevOps',
    );
  if (!/^[^\p{C}/\\:*?"<>|;#$%@,+=[\]{}&~]+$/u.test(project)) throw invalid('project', 'is no name of a project');
  return {
    organization,
    project,
    pipeline,
    ref: fullRef(ref),
    templateParameters,
    claimed,
    ...(lineage && { lineage }),
  };
}

function keyOf(request: FastifyRequest): string {
  const header = request.headers['idempotency-key'];
  const { key } = request.body as Body;
  if (typeof header === 'string' && key !== undefined && key !== header)
    throw invalid('key', 'is another one than the header Idempotency-Key');
  const given = key ?? header;
  if (typeof given === 'string') return given;
  throw new Problem('idempotency-key-missing', 'The request has no key: without one it could queue a pipeline twice');
}
