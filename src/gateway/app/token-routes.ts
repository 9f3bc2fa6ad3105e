import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { PlumblineError } from '#core/errors.ts';
import { identityRejected, oauthErrorOf } from '../issuer/identity-rejected.ts';
import type { TaskToken, TaskTokens } from '../issuer/task-tokens.ts';
import type { Worker } from '../workers/worker.ts';
import { workerPace } from '../workers/worker-pace.ts';
import { problemOf } from './answer-problems.ts';
import type { AppServices } from './app-services.ts';
import { Problem } from './problem.ts';
import { answers, json } from './route-schema.ts';
import { StrangerRecorder } from './stranger-recorder.ts';
import { readTokenForm, type TokenForm } from './token-form.ts';

const FORM = 'application/x-www-form-urlencoded';
const MAX_BODY_BYTES = 8_192;
/** Far more than the tasks of a worker can need; it bounds what code that was let loose can put into the audit. */
const PER_WORKER_AND_MINUTE = 30_000;
const RETRY = { 'retry-after': '1' };

/** What the exchange stands on. */
export interface TokenServices extends AppServices {
  /** By the socket of which Unix user's workers a request came; `undefined`: by the listener. */
  readonly userOf: (request: IncomingMessage) => number | undefined;
}

/** RFC 8693: a worker's token for the token of one of its tasks. In a scope of its own, which takes forms alone. */
export async function addTokenRoutes(app: FastifyInstance, services: TokenServices, tokens: TaskTokens): Promise<void> {
  await app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser(FORM, { parseAs: 'buffer' }, (_request, body, taken) => taken(null, body));
    answerRefusals(scope);
    countRefusals(scope, services);
    addExchange(scope, services, tokens);
    done();
  });
}

function addExchange(scope: FastifyInstance, services: TokenServices, tokens: TaskTokens): void {
  const admit = admission(services);
  scope.post('/v1/token', {
    config: { worker: true },
    bodyLimit: MAX_BODY_BYTES,
    schema: SCHEMA,
    handler: async (request, reply) => {
      if (request.headers['content-type'] !== FORM)
        throw new Problem('content-type-unsupported', `The body is not ${FORM}`);
      const { worker, form } = await admit(request);
      const { family, taskId, audience } = form;
      const token = await tokens.exchange(worker, { family, taskId, audience, requestId: request.id });
      services.metrics.taskToken('issued');
      return reply.header('cache-control', 'no-store').send(answerOf(token, services.clock.now()));
    },
  });
}

/** Whoever refused: the exchange, or the gate before it. */
function countRefusals(scope: FastifyInstance, { metrics }: AppServices): void {
  scope.addHook('onError', async (_request, _reply, error) => {
    const refusal = refusalOf(error);
    if (refusal !== undefined) metrics.taskToken(refusal.mode, refusal.reason);
  });
}

const SCHEMA = {
  tags: ['tokens'],
  operationId: 'exchangeToken',
  summary: "The token of a task for that of its run's worker (RFC 8693)",
  security: [],
  consumes: [FORM],
  querystring: { type: 'object', additionalProperties: false, properties: {} },
  ...answers({ 200: json('TaskToken'), 400: json('TaskTokenRefused', 'No token for this task.') }),
} as const;

interface Admitted {
  readonly worker: Worker;
  readonly form: TokenForm;
}

/** Who asks for what. What is no worker's request is on record before it is answered. */
function admission(services: TokenServices): (request: FastifyRequest) => Promise<Admitted> {
  const { workers, workerTokens, clock, userOf } = services;
  const mayAsk = workerPace(PER_WORKER_AND_MINUTE, clock);
  const strangers = new StrangerRecorder(services.audit, clock);
  return async (request) => {
    let workerId: string | undefined;
    const uid = userOf(request.raw);
    try {
      const form = readTokenForm((request.body as Uint8Array | undefined) ?? new Uint8Array());
      workerId = workerTokens.verify(form.subjectToken);
      const worker = workers.find(workerId);
      // Of a registered one nobody knows what it runs.
      if (worker?.kind !== 'run') throw identityRejected({ reason: 'worker-unknown' });
      if (uid !== undefined && workers.uidOf(worker) !== uid) throw identityRejected({ reason: 'other-user' });
      if (mayAsk(worker)) return { worker, form };
    } catch (thrown) {
      const error = asRefusal(thrown);
      const { reason = '' } = refusalOf(error) ?? {};
      await strangers.rejected(reason, { requestId: request.id, address: request.ip, uid, worker: workerId });
      throw error;
    }
    throw new Problem('overloaded', 'The worker asks for tokens too often', { headers: RETRY });
  };
}

/** A token that this gateway did not make is refused like every other reason. What is no refusal is thrown on. */
function asRefusal(thrown: unknown): PlumblineError {
  if (thrown instanceof PlumblineError && thrown.code === 'ERR_TOKEN_UNTRUSTED')
    return identityRejected({ reason: 'worker-token' });
  if (refusalOf(thrown) !== undefined) return thrown as PlumblineError;
  throw thrown;
}

interface Refusal {
  readonly reason: string;
  readonly mode: 'report' | 'enforce';
}

function refusalOf(thrown: unknown): Refusal | undefined {
  if (!(thrown instanceof PlumblineError) || thrown.code !== 'ERR_IDENTITY_REJECTED') return undefined;
  return thrown.details as unknown as Refusal;
}

/** RFC 6749 §5.2 for a refusal; everything else is a problem as everywhere, and may be tried again. */
function answerRefusals(scope: FastifyInstance): void {
  scope.setErrorHandler((error: Error, _request, reply) => {
    const refusal = refusalOf(error);
    if (refusal === undefined) {
      const problem = problemOf(error as never);
      if (problem.status === 503) reply.headers(RETRY);
      throw problem;
    }
    const { reason, mode } = refusal;
    const words = { error: oauthErrorOf(reason), error_description: error.message, code: 'ERR_IDENTITY_REJECTED' };
    return reply
      .code(400)
      .header('cache-control', 'no-store')
      .send({ ...words, reason, mode });
  });
}

function answerOf(
  { token, expiresAt, audience, identity, targets, renewAfterSeconds }: TaskToken,
  now: number,
): object {
  return {
    access_token: token,
    issued_token_type: 'urn:ietf:params:oauth:token-type:jwt',
    token_type: 'N_A',
    expires_in: Math.max(0, Math.floor((expiresAt - now) / 1_000)),
    plumbline: { identity: identity ?? null, audience, renewAfter: renewAfterSeconds, targets },
  };
}
