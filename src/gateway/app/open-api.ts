import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { PRODUCT_VERSION } from '#core/product-version.ts';

/** Collects the schemas of the routes that follow into one OpenAPI 3.1 document. */
export async function describeApi(app: FastifyInstance, publicUrl: string | undefined): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Plumbline gateway',
        version: PRODUCT_VERSION,
        description: 'Starts, follows and cancels Luigi runs for callers with a verified identity.',
      },
      ...(publicUrl !== undefined && { servers: [{ url: publicUrl }] }),
      components: {
        securitySchemes: {
          token: {
            type: 'http',
            scheme: 'bearer',
            description: 'A token of an issuer that the policy names, or the token of a run.',
          },
        },
      },
      security: [{ token: [] }],
    },
    refResolver: { buildLocalReference: (json, _base, _fragment, i) => String(json['$id'] ?? `Schema${i}`) },
  });
}
