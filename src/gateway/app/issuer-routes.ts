import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import {
  DISCOVERY_PATH,
  discoveryDocument,
  type IssuerDocument,
  KEYS_PATH,
  keysDocument,
} from '../issuer/issuer-documents.ts';
import type { TokenIssuer } from '../issuer/token-issuer.ts';
import './fastify-request.ts';
import { Problem } from './problem.ts';
import { answers } from './route-schema.ts';

/** What anybody may read who verifies tokens of this gateway. */
export function addIssuerRoutes(app: FastifyInstance, issuer: TokenIssuer): void {
  const discovery = discoveryDocument(issuer);
  const route = { config: { public: true } as const };

  app.get(DISCOVERY_PATH, {
    ...route,
    schema: described('openIdConfiguration', 'This gateway as an OpenID issuer', DISCOVERY),
    handler: async (request, reply) => sendDocument(discovery, maxAgeOf(issuer), request, reply),
  });

  app.get(KEYS_PATH, {
    ...route,
    schema: described('issuerKeys', 'The public keys of its tokens', KEYS),
    handler: async (request, reply) => {
      const keys = keysDocument(issuer.keys());
      if (keys === undefined)
        throw new Problem('issuer-unavailable', `The keys are not known: ${issuer.problem() ?? 'they are asked for'}`, {
          headers: { 'retry-after': '5', 'cache-control': 'no-store' },
        });
      return sendDocument(keys, maxAgeOf(issuer), request, reply);
    },
  });
}

function maxAgeOf({ keysMaxAgeSeconds }: TokenIssuer): string {
  return `public, max-age=${keysMaxAgeSeconds}`;
}

/** A public document, and nothing to whoever has it. */
export function sendDocument(
  { text, etag }: IssuerDocument,
  cacheControl: string,
  { headers }: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  reply.header('cache-control', cacheControl).header('etag', etag);
  if (isKnown(headers['if-none-match'], etag)) return reply.code(304).send();
  return reply.type('application/json; charset=utf-8').serializer(String).send(text);
}

/** RFC 9110 §13.1.2, weak comparison. */
function isKnown(known: string | undefined, etag: string): boolean {
  const tags = known?.split(',').map((tag) => tag.trim().replace(/^W\//, '')) ?? [];
  return tags.includes(etag) || tags.includes('*');
}

function described(operationId: string, summary: string, schema: object): object {
  const content = { 'application/json': { schema } };
  return {
    tags: ['issuer'],
    security: [],
    operationId,
    summary,
    ...answers({
      200: { description: 'It may be kept as long as Cache-Control says.', content },
      304: { description: 'It is as `If-None-Match` says.', type: 'null' },
    }),
  };
}

const text = { type: 'string' } as const;
const texts = { type: 'array', items: text } as const;

const DISCOVERY = {
  type: 'object',
  required: ['issuer', 'jwks_uri', 'token_endpoint'],
  properties: {
    issuer: text,
    jwks_uri: text,
    token_endpoint: text,
    response_types_supported: texts,
    grant_types_supported: texts,
    token_endpoint_auth_methods_supported: texts,
    subject_types_supported: texts,
    id_token_signing_alg_values_supported: texts,
    claims_supported: texts,
  },
} as const;

const KEYS = {
  type: 'object',
  required: ['keys'],
  properties: {
    keys: {
      type: 'array',
      items: {
        type: 'object',
        required: ['kty', 'use', 'alg', 'kid', 'n', 'e'],
        properties: {
          kty: { const: 'RSA' },
          use: { const: 'sig' },
          alg: { const: 'RS256' },
          kid: { ...text, description: 'Its RFC 7638 thumbprint.' },
          n: text,
          e: text,
        },
      },
    },
  },
} as const;
