import type { FastifyInstance } from 'fastify';
import { PRODUCT_VERSION } from '#core/product-version.ts';
import type { RouteContext } from './route-context.ts';
import { answers, json } from './route-schema.ts';

const ABOUT = {
  name: 'plumbline-gateway',
  version: PRODUCT_VERSION,
  api: 'v1',
  documentation: 'https://plumbline.dev/docs/gateway/api',
} as const;

/** What anybody may ask: that it is there, that it works, how its API looks. */
export function addOperationRoutes(app: FastifyInstance, { services: { readiness } }: RouteContext): void {
  const config = { public: true } as const;
  const open = { tags: ['operations'], security: [] };

  app.get('/v1/about', {
    config,
    schema: { ...open, operationId: 'about', summary: 'Which service this is', ...answers({ 200: json('About') }) },
    handler: async () => ABOUT,
  });

  let document: string | undefined;
  app.get('/v1/openapi.json', {
    config,
    schema: {
      ...open,
      operationId: 'openApi',
      summary: 'This document',
      ...answers({ 200: { content: { 'application/json': { schema: { type: 'object' } } } } }),
    },
    handler: async (_, reply) => {
      document ??= JSON.stringify(app.swagger());
      return reply.type('application/json; charset=utf-8').serializer(String).send(document);
    },
  });

  app.get('/healthz', {
    config,
    schema: { ...open, operationId: 'health', summary: 'The process answers', ...answers({ 200: json('Health') }) },
    handler: async () => ({ status: 'ok' }),
  });

  app.get('/readyz', {
    config,
    schema: {
      ...open,
      operationId: 'readiness',
      summary: 'Requests are served; what is not ready is named',
      ...answers({ 200: json('Readiness'), 503: json('Readiness', 'Not ready.') }),
    },
    handler: async (_, reply) => {
      const { ready, checks } = await readiness.report();
      return reply
        .code(ready ? 200 : 503)
        .header('cache-control', 'no-store')
        .send({ ready, checks });
    },
  });
}
