import type { FastifyInstance, HTTPMethods } from 'fastify';
import { Problem } from './problem.ts';

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;

/**
 * Gives every path that is known an answer to every method: 405 with `Allow`, and 204 to OPTIONS. To be called before
 * the routes are added, and `complete` behind the last.
 */
export function answerOtherMethods(app: FastifyInstance): { complete(): void } {
  const known = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const methods = known.get(url) ?? new Set();
    known.set(url, methods);
    for (const one of [method].flat()) methods.add(one);
  });
  return {
    complete: () => {
      for (const [url, methods] of [...known]) complete(app, url, [...methods]);
    },
  };
}

function complete(app: FastifyInstance, url: string, known: readonly string[]): void {
  const allow = [...known, 'OPTIONS'].sort().join(', ');
  app.route({
    url,
    method: METHODS.filter((method) => !known.includes(method)) as HTTPMethods[],
    schema: { hide: true },
    // Before the body: what it holds does not matter.
    onRequest: async (request, reply) => {
      reply.header('allow', allow);
      if (request.method === 'OPTIONS') return reply.code(204).send();
      throw new Problem('method-not-allowed', `This path takes ${allow}`);
    },
    handler: async () => undefined,
  });
}
