import { createHash } from 'node:crypto';
import type {} from '@fastify/rate-limit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Caller } from '../auth/caller.ts';
import { usedUpBy } from '../auth/token-ledger.ts';
import type { AccessRecorder } from './access-recorder.ts';
import type { AppServices } from './app-services.ts';
import { authenticateRequest } from './authenticate-request.ts';
import { Problem } from './problem.ts';
import { checkRequestHead } from './request-headers.ts';

type Limit = ReturnType<FastifyInstance['createRateLimit']>;

export interface RequestLimits {
  readonly perAddress: Limit;
  readonly perCaller: Limit;
  /** Whether a connection's other end may bring tokens. */
  readonly trustsPeer: (address: string) => boolean;
  /** It came by a socket of this machine: nobody is between, and it has no address. */
  readonly isLocal: (request: FastifyRequest) => boolean;
}

/**
 * The one gate of the API, for every request whatever its path. By default a request is refused: it passes with a verified
 * caller, or on a route that says itself that it is public or asks for a worker's token itself.
 */
export function guardRequests(
  app: FastifyInstance,
  services: AppServices,
  recorder: AccessRecorder,
  limits: RequestLimits,
): void {
  const authenticate = authenticateRequest(services, recorder);
  app.decorateRequest('caller', null);
  app.decorateRequest('bodyHash', EMPTY);
  app.decorateRequest('isRepeated', false);

  app.addHook('onRequest', async (request) => {
    checkRequestHead(request.raw);
    const isLocal = limits.isLocal(request);
    if (!isLocal) await within(limits.perAddress, request, 'address');
    if (request.routeOptions.config.public === true) return;
    checkServing(services);
    if (!isLocal && !limits.trustsPeer(request.raw.socket.remoteAddress ?? ''))
      throw new Problem('proxy-bypassed', 'Tokens are accepted only through the proxy of this gateway');
    if (request.routeOptions.config.worker === true || request.routeOptions.config.person === true) return;
    request.caller = await authenticate(request);
    await within(limits.perCaller, request, 'caller');
  });

  // Behind the body, because the same token may come again with the same body only; before it is looked at.
  app.addHook('preValidation', async (request) => {
    if (request.caller !== null) await useUp(request.caller, request, services, recorder);
  });
}

const EMPTY = createHash('sha256').digest('hex');
const RETRY = { 'retry-after': '2' };

/** @throws {Problem} `stopping`, `not-ready` */
export function checkServing({ readiness }: Pick<AppServices, 'readiness'>): void {
  if (readiness.stopping) throw new Problem('stopping', 'The gateway is stopping', { headers: RETRY });
  if (!readiness.serving) throw new Problem('not-ready', 'The gateway recovers the runs of before', { headers: RETRY });
}

async function within(limit: Limit, request: FastifyRequest, whose: string): Promise<void> {
  const answer = await limit(request);
  if (answer.isAllowed || !answer.isExceeded) return;
  const headers = { 'retry-after': String(Math.max(1, answer.ttlInSeconds)) };
  throw new Problem('rate-limited', `There are too many requests of this ${whose}`, { headers });
}

async function useUp(
  caller: Caller,
  request: FastifyRequest,
  { ledger }: AppServices,
  recorder: AccessRecorder,
): Promise<void> {
  for (const token of usedUpBy(caller)) {
    const usage = await ledger.use(token, fingerprintOf(request));
    if (usage === 'same') request.isRepeated = true;
    if (usage !== 'replayed') continue;
    const problem = new Problem('token-used', 'The token was used by another request: an ID token is for one', {
      reason: 'used',
    });
    await recorder.replayed(token, problem, request);
    throw problem;
  }
}

function fingerprintOf(request: FastifyRequest): string {
  const key = request.headers['idempotency-key'];
  const what = [request.method, request.raw.url ?? '', typeof key === 'string' ? key : '', request.bodyHash];
  return createHash('sha256').update(JSON.stringify(what)).digest('hex');
}
