import type { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { Problem } from './problem.ts';
import { callerOf, type RouteContext } from './route-context.ts';
import { answers, json } from './route-schema.ts';

const TYPE = 'application/gzip';

interface Upload {
  readonly Params: { readonly sha256: string };
  readonly Querystring: { readonly role: string };
}

/** Uploading code. In a scope of its own: the only route that takes something else than JSON, and that alone. */
export async function addBundleRoute(app: FastifyInstance, context: RouteContext): Promise<void> {
  await app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    // Not read here: it goes to the disk as it comes.
    scope.addContentTypeParser(TYPE, (_request, payload, taken) => taken(null, payload));
    addUpload(scope, context);
    done();
  });
}

function addUpload(app: FastifyInstance, { services, timeouts }: RouteContext): void {
  app.put<Upload>('/v1/bundles/:sha256', {
    handlerTimeout: timeouts.uploadMs,
    schema: {
      tags: ['bundles'],
      operationId: 'uploadBundle',
      summary: 'Code for runs of a role that takes it from its caller: a tar.gz, named by its SHA-256',
      params: {
        type: 'object',
        additionalProperties: false,
        required: ['sha256'],
        properties: { sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' } },
      },
      querystring: {
        type: 'object',
        additionalProperties: false,
        required: ['role'],
        properties: { role: { type: 'string', minLength: 1, maxLength: 64 } },
      },
      consumes: [TYPE],
      ...answers({ 200: json('Bundle', 'It was there.'), 201: json('Bundle', 'It was stored.') }),
    },
    handler: async (request, reply) => {
      const caller = callerOf(request);
      if (caller.runId !== undefined) throw new Problem('token-scope', 'The token of a run uploads nothing');
      const { role } = request.query;
      const { maxBytes } = await services.bundles.permit(caller, role);
      const declared = Number(request.headers['content-length'] ?? 0);
      if (declared > maxBytes)
        throw new Problem('body-too-large', `A bundle of this role has at most ${maxBytes} bytes`);
      if (request.body === undefined) throw new Problem('bundle-invalid', 'The request has no body');
      const bytes = request.body as Readable;
      const { created, sha256, size } = await services.bundles.store(caller, {
        sha256: request.params.sha256,
        role,
        maxBytes,
        bytes,
      });
      return reply.code(created ? 201 : 200).send({ sha256, size });
    },
  });
}
