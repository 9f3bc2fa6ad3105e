import type { FastifyRequest } from 'fastify';
import type { Caller } from '../auth/caller.ts';
import { runCaller } from '../auth/run-caller.ts';
import { isRunToken } from '../auth/run-tokens.ts';
import type { AccessRecorder } from './access-recorder.ts';
import type { AppServices } from './app-services.ts';
import { legacyCaller } from './legacy-caller.ts';
import { asProblem, Problem } from './problem.ts';
import { bearerOf } from './request-headers.ts';

/** Turns the credentials of a request into its caller. */
export type AuthenticateRequest = (request: FastifyRequest) => Promise<Caller>;

/**
 * Verifies what a request brings: a run token of ours, a credential of old, or the token of an issuer. What is refused is
 * recorded before it is answered; a token is recorded when it is first used.
 *
 * The returned function throws {@link Problem}: `token-…`, `header-ambiguous`, `issuer-unavailable`.
 */
export function authenticateRequest(services: AppServices, recorder: AccessRecorder): AuthenticateRequest {
  return async (request) => {
    const bearer = bearerOf(request.headers.authorization);
    if (bearer === undefined)
      throw new Problem('token-missing', 'The request has no token: it needs Authorization: Bearer');
    try {
      const caller = await verified(services, bearer, runFactsOf(request));
      await recorder.tokenUsed(caller, request.id);
      return caller;
    } catch (error) {
      const problem = asProblem(error);
      if (problem.status === 401) await recorder.tokenRefused(bearer, problem, request);
      throw problem;
    }
  };
}

function runFactsOf({ headers }: FastifyRequest): string | undefined {
  const value = headers['plumbline-run-facts'];
  return typeof value === 'string' ? value : undefined;
}

async function verified(services: AppServices, bearer: string, runFacts: string | undefined): Promise<Caller> {
  const own = isRunToken(bearer)
    ? runCaller(await services.runTokens.verify(bearer, (id) => services.runs.scopeOf(id)))
    : undefined;
  const caller = own ?? legacyCaller(bearer, services.legacy(), services.clock.now());
  if (caller === undefined) return services.authenticator.authenticate({ bearer, runFacts });
  if (runFacts === undefined) return caller;
  throw new Problem('header-ambiguous', 'Run facts stand beside a token that an issuer signed, and beside no other');
}
