import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { JsonValue } from '#core/json.ts';
import type { CancelReason } from '#engines/engine.ts';
import type { Caller } from '../auth/caller.ts';
import type { RunFilter } from '../runs/run-pages.ts';
import type { RunSpecification } from '../runs/run-record.ts';
import { RUN_STATES } from './api-schemas.ts';
import { Problem } from './problem.ts';
import { callerOf, idOf, type RouteContext } from './route-context.ts';
import { answers, IDEMPOTENCY_KEY, json, RUN_PARAMS } from './route-schema.ts';
import { issueRunToken, mayRenew } from './run-token-life.ts';
import { runView } from './run-view.ts';

const CANCEL = {
  type: 'object',
  additionalProperties: false,
  required: ['reason'],
  properties: { reason: { enum: ['cancelled', 'deadline'] } },
} as const;

const FILTER = {
  type: 'object',
  additionalProperties: false,
  properties: {
    key: { type: 'string', minLength: 1, maxLength: 255 },
    state: { enum: RUN_STATES },
    role: { type: 'string', minLength: 1, maxLength: 64 },
    since: { type: 'integer', minimum: 0, description: 'Created then or later; milliseconds since the epoch.' },
    cursor: { type: 'string', minLength: 1, maxLength: 512, description: 'Of the page before.' },
    limit: { type: 'integer', minimum: 1, maximum: 200, default: 50 },
  },
} as const;

/** Create, read, list, cancel, and a token for one run. */
export function addRunRoutes(app: FastifyInstance, context: RouteContext): void {
  addCreate(app, context);
  addReads(app, context);
  addCancel(app, context);
  addToken(app, context);
}

function addCreate(app: FastifyInstance, context: RouteContext): void {
  const { services, linkBase } = context;
  app.post('/v1/runs', {
    schema: {
      tags: ['runs'],
      operationId: 'createRun',
      summary: 'Start a run, or find the one of the key',
      headers: IDEMPOTENCY_KEY,
      body: { $ref: 'CreateRun#' },
      ...answers({ 200: json('CreatedRun', 'The run of this key.'), 201: json('CreatedRun', 'A new run.') }),
    },
    handler: async (request, reply) => {
      const caller = withoutRunToken(request);
      const specification = specificationOf(request.body);
      const { run, created } = await services.runs.create(caller, keyOf(request), specification, request.id);
      const { token, expiresAt } = issueRunToken(services, run);
      const view = { ...runView(run, linkBase), runToken: token, runTokenExpiresAt: expiresAt };
      return reply
        .code(created ? 201 : 200)
        .header('location', view.links['self'] as string)
        .header('cache-control', 'no-store')
        .send(view);
    },
  });
}

function addReads(app: FastifyInstance, { services, recorder, linkBase }: RouteContext): void {
  const { runs } = services;
  app.get('/v1/runs', {
    schema: {
      tags: ['runs'],
      operationId: 'listRuns',
      summary: "The caller's runs, newest first",
      querystring: FILTER,
      ...answers({ 200: json('RunList') }),
    },
    handler: async (request, reply) => {
      const caller = withoutRunToken(request);
      await recorder.read(caller, undefined, request);
      const page = await runs.list(caller, request.query as RunFilter);
      const list = { runs: page.runs.map((run) => runView(run, linkBase)), cursor: page.cursor };
      return reply.header('cache-control', 'no-store').send(list);
    },
  });
  app.get('/v1/runs/:id', {
    schema: {
      tags: ['runs'],
      operationId: 'readRun',
      summary: 'One run',
      params: RUN_PARAMS,
      ...answers({ 200: json('Run') }),
    },
    handler: async (request, reply) => {
      const caller = callerOf(request);
      const run = await runs.read(caller, idOf(request));
      await recorder.read(caller, run.id, request);
      return reply.header('cache-control', 'no-store').send(runView(run, linkBase));
    },
  });
}

function addCancel(app: FastifyInstance, { services, linkBase }: RouteContext): void {
  app.post('/v1/runs/:id/cancel', {
    schema: {
      tags: ['runs'],
      operationId: 'cancelRun',
      summary: 'Stop a run; one that has ended stays as it ended',
      params: RUN_PARAMS,
      body: CANCEL,
      ...answers({ 200: json('CancelAnswer') }),
    },
    handler: async (request) => {
      const { reason } = request.body as { readonly reason: CancelReason };
      const { answer, run } = await services.runs.cancel(callerOf(request), idOf(request), reason, request.id);
      return { answer, run: runView(run, linkBase) };
    },
  });
}

function addToken(app: FastifyInstance, { services, recorder }: RouteContext): void {
  app.post('/v1/runs/:id/token', {
    schema: {
      tags: ['runs'],
      operationId: 'issueRunToken',
      summary: 'A token for this run alone',
      params: RUN_PARAMS,
      ...answers({ 200: json('RunToken') }),
    },
    handler: async (request, reply) => {
      const caller = callerOf(request);
      const run = await services.runs.read(caller, idOf(request));
      if (!mayRenew(caller, run))
        throw new Problem('token-scope', 'The token of a run is not renewed when the run has ended');
      await recorder.tokenIssued(caller, run.id, request.id);
      return reply.header('cache-control', 'no-store').send(issueRunToken(services, run));
    },
  });
}

/** Whoever holds the token of a run may do with this one run what its creator may, and nothing else. */
export function withoutRunToken(request: FastifyRequest): Caller {
  const caller = callerOf(request);
  if (caller.runId === undefined) return caller;
  throw new Problem('token-scope', 'The token is for one run, and this is not about that run');
}

export function keyOf({ headers }: FastifyRequest): string {
  const key = headers['idempotency-key'];
  if (typeof key === 'string') return key;
  throw new Problem(
    'idempotency-key-missing',
    'The request has no Idempotency-Key: without one it could start a run twice',
  );
}

function specificationOf(body: unknown): RunSpecification {
  const given = body as Partial<RunSpecification> & Pick<RunSpecification, 'role' | 'module' | 'task'>;
  return {
    role: given.role,
    module: given.module,
    task: given.task,
    parameters: (given.parameters ?? {}) as Readonly<Record<string, JsonValue>>,
    workers: given.workers ?? 1,
    ...(given.timeoutMs !== undefined && { timeoutMs: given.timeoutMs }),
    attempt: given.attempt ?? '1',
    ...(given.bundle !== undefined && { bundle: given.bundle }),
    claimed: given.claimed ?? {},
  };
}
