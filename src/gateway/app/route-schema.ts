import type { FastifySchema } from 'fastify';
import { RUN_ID } from './api-schemas.ts';

export const RUN_PARAMS = {
  type: 'object',
  additionalProperties: false,
  required: ['id'],
  properties: { id: { type: 'string', pattern: RUN_ID, description: 'Of a run.' } },
} as const;

export const IDEMPOTENCY_KEY = {
  type: 'object',
  properties: {
    'idempotency-key': {
      type: 'string',
      minLength: 1,
      maxLength: 255,
      pattern: '^[\\x20-\\x7e]+$',
      description: 'The same key with the same body gives the same answer, with another body 422.',
    },
  },
} as const;

/** Every answer of a route: its own, and a problem for everything else. */
export function answers(own: Readonly<Record<number, object>>): Pick<FastifySchema, 'response'> {
  const described = Object.entries(own).map(([status, schema]) => [
    status,
    { description: 'As asked for.', ...schema },
  ]);
  const problem = { schema: { $ref: 'Problem#' } };
  return {
    response: {
      ...Object.fromEntries(described),
      default: { description: 'A problem.', content: { 'application/problem+json': problem } },
    },
  };
}

/** A JSON answer by the name of its schema. */
export function json(name: string, description = 'As asked for.'): object {
  return { description, content: { 'application/json': { schema: { $ref: `${name}#` } } } };
}

/** An answer that is no JSON. */
export function bytes(type: string, description: string): object {
  return { description, content: { [type]: { schema: { type: 'string' } } } };
}
