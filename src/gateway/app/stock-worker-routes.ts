import type { FastifyInstance } from 'fastify';
import type { WorkerTokens } from '../auth/worker-tokens.ts';
import { type StockWorker, type StockWorkerSpecification, stockWorkerId } from '../workers/stock-worker.ts';
import type { StockWorkers } from '../workers/stock-workers.ts';
import { WORKER_ID } from './api-schemas.ts';
import { Problem } from './problem.ts';
import { idOf } from './route-context.ts';
import { answers, IDEMPOTENCY_KEY, json } from './route-schema.ts';
import { keyOf, withoutRunToken } from './run-routes.ts';

/** What the routes of stock workers stand on. */
export interface StockWorkerServices {
  readonly workers: Pick<StockWorkers, 'register' | 'end'>;
  readonly tokens: Pick<WorkerTokens, 'schedulerPassword'>;
  /** Where this gateway's luigid is for workers elsewhere, without a credential. */
  readonly schedulerUrl: () => string;
}

/** Luigi workers elsewhere: registered by whoever may run the role, so that luigid knows whose they are. */
export function addStockWorkerRoutes(app: FastifyInstance, services: StockWorkerServices): void {
  addRegister(app, services);
  addEnd(app, services);
}

function addRegister(app: FastifyInstance, services: StockWorkerServices): void {
  app.post('/v1/luigid/workers', {
    schema: {
      tags: ['luigid'],
      operationId: 'registerWorker',
      summary: 'Register a Luigi worker that runs elsewhere, or find the one of the key',
      headers: IDEMPOTENCY_KEY,
      body: { $ref: 'RegisterWorker#' },
      ...answers({ 200: json('RegisteredWorker', 'That of this key.'), 201: json('RegisteredWorker', 'A new one.') }),
    },
    handler: async (request, reply) => {
      const caller = withoutRunToken(request);
      const specification = specificationOf(request.body);
      const { worker, created } = await services.workers.register(caller, keyOf(request), specification, request.id);
      return reply
        .code(created ? 201 : 200)
        .header('location', `/v1/luigid/workers/${stockWorkerId(worker.id)}`)
        .header('cache-control', 'no-store')
        .send(registration(worker, services));
    },
  });
}

function addEnd(app: FastifyInstance, { workers }: StockWorkerServices): void {
  app.delete('/v1/luigid/workers/:id', {
    schema: {
      tags: ['luigid'],
      operationId: 'endWorker',
      summary: 'End a registration: its credential is worth nothing from now on',
      params: {
        type: 'object',
        additionalProperties: false,
        required: ['id'],
        properties: { id: { type: 'string', pattern: WORKER_ID, description: 'Of a registered worker.' } },
      },
      ...answers({ 204: { description: 'It has ended.', type: 'null' } }),
    },
    handler: async (request, reply) => {
      const isOwn = await workers.end(withoutRunToken(request), idOf(request));
      if (!isOwn) throw new Problem('not-found', 'There is no such worker, or it has ended');
      return reply.code(204).send();
    },
  });
}

function registration({ id, expiresAt }: StockWorker, { tokens, schedulerUrl }: StockWorkerServices): object {
  const workerId = stockWorkerId(id);
  const url = new URL(schedulerUrl());
  url.username = workerId;
  url.password = tokens.schedulerPassword(workerId);
  const environment = { PLUMBLINE_SCHEDULER_URL: url.href, PLUMBLINE_WORKER_ID: workerId };
  return { workerId, schedulerUrl: url.href, expiresAt, environment };
}

function specificationOf(body: unknown): StockWorkerSpecification {
  const {
    role,
    module,
    task,
    parameters = {},
    lifetimeMs,
  } = body as Partial<StockWorkerSpecification> & Pick<StockWorkerSpecification, 'role' | 'module' | 'task'>;
  return { role, module, task, parameters, ...(lifetimeMs !== undefined && { lifetimeMs }) };
}
