import type { FastifyInstance, FastifyRequest } from 'fastify';
import { PlumblineError } from '#core/errors.ts';
import type { AirflowIssuer } from '../airflow/airflow-issuer.ts';
import type { AirflowToken, AirflowTokens } from '../airflow/airflow-tokens.ts';
import { keysDocument } from '../issuer/issuer-documents.ts';
import { AIRFLOW_KEYS } from './airflow-schemas.ts';
import type { AppServices } from './app-services.ts';
import { sendDocument } from './issuer-routes.ts';
import { Problem, type ProblemCode } from './problem.ts';
import { answers, json } from './route-schema.ts';
import { withoutRunToken } from './run-routes.ts';

/** What the routes of Airflows stand on. */
export interface AirflowServices {
  /** By name. */
  readonly issuers: ReadonlyMap<string, AirflowIssuer>;
  readonly tokens: AirflowTokens;
}

/** An Airflow of any name: one that is not configured is told so, and the refusal is on record. */
const PARAMS = {
  type: 'object',
  additionalProperties: false,
  required: ['name'],
  properties: {
    name: { type: 'string', pattern: '^[a-z][a-z0-9-]{0,62}$', description: "Of the gateway's configuration." },
  },
} as const;
const RETRY = { 'retry-after': '5', 'cache-control': 'no-store' };

/** What an Airflow verifies tokens by, and the tokens. */
export function addAirflowRoutes(app: FastifyInstance, services: AppServices, airflow: AirflowServices): void {
  addKeys(app, airflow);
  addToken(app, services, airflow);
}

function addKeys(app: FastifyInstance, { issuers }: AirflowServices): void {
  app.get('/airflow/:name/jwks.json', {
    config: { public: true },
    schema: {
      tags: ['airflow'],
      security: [],
      operationId: 'airflowKeys',
      summary: 'The public keys by which an Airflow verifies tokens: its own, and those of this gateway for it',
      params: PARAMS,
      ...answers({
        200: {
          description: 'To be asked for again each time.',
          content: { 'application/json': { schema: AIRFLOW_KEYS } },
        },
        304: { description: 'It is as `If-None-Match` says.', type: 'null' },
      }),
    },
    handler: async (request, reply) => {
      const issuer = issuers.get(nameOf(request));
      if (issuer === undefined)
        throw new Problem('airflow-unknown', 'This gateway has no keys for an Airflow of this name');
      const keys = keysDocument(issuer.keys() ?? []);
      if (keys === undefined)
        throw new Problem(
          'issuer-unavailable',
          `The keys are not complete: ${issuer.problem() ?? 'they are asked for'}`,
          {
            headers: RETRY,
          },
        );
      // What a cache kept would come on top of the hour for which Airflow keeps them.
      return sendDocument(keys, 'public, no-cache', request, reply);
    },
  });
}

function addToken(app: FastifyInstance, { metrics, clock }: AppServices, { tokens, issuers }: AirflowServices): void {
  app.post('/v1/airflow/:name/token', {
    schema: {
      tags: ['airflow'],
      operationId: 'airflowToken',
      summary: 'A token that this Airflow trusts, for the user whom the policy names',
      params: PARAMS,
      body: { $ref: 'AirflowTokenRequest#' },
      ...answers({ 200: json('AirflowToken') }),
    },
    handler: async (request, reply) => {
      const caller = withoutRunToken(request);
      const { grant } = request.body as { readonly grant?: string };
      const airflow = nameOf(request);
      const counted = issuers.has(airflow) ? airflow : '';
      try {
        const wanted = { airflow, grant, requestId: request.id, isRepeated: request.isRepeated };
        const token = await tokens.exchange(caller, wanted);
        metrics.airflowToken(counted, 'issued');
        return reply.header('cache-control', 'no-store').send(answerOf(token, clock.now()));
      } catch (thrown) {
        const problem = refusalOf(thrown);
        metrics.airflowToken(counted, problem === undefined ? 'failed' : 'refused', problem?.facts.reason);
        throw problem ?? thrown;
      }
    },
  });
}

function nameOf({ params }: FastifyRequest): string {
  return (params as { readonly name: string }).name;
}

const CODES: Readonly<Record<string, ProblemCode>> = {
  'airflow-unknown': 'airflow-unknown',
  'token-used': 'token-used',
};

function refusalOf(thrown: unknown): Problem | undefined {
  if (!(thrown instanceof PlumblineError) || thrown.code !== 'ERR_IDENTITY_REJECTED') return undefined;
  const reason = String(thrown.details['reason']);
  return new Problem(CODES[reason] ?? 'airflow-denied', thrown.message, { reason, cause: thrown });
}

function answerOf({ token, expiresAt, user, role, url }: AirflowToken, now: number): object {
  const expiresIn = Math.max(0, Math.floor((expiresAt - now) / 1_000));
  return {
    access_token: token,
    token_type: 'Bearer',
    expires_in: expiresIn,
    user,
    ...(role !== undefined && { role }),
    url,
  };
}
