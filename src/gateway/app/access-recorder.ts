import { hash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import type { Clock } from '#core/clock.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import { type ReadAccessGate, readAccessGate } from '../audit/read-access-gate.ts';
import { redactJson } from '../audit/redaction-guard.ts';
import type { Caller, VerifiedToken } from '../auth/caller.ts';
import { callerFacts } from './caller-facts.ts';
import type { Problem } from './problem.ts';

/** Of what is remembered to write less: one more, and the oldest is forgotten, which costs a record too many. */
const MAX_REMEMBERED = 20_000;

/** Which route a request was for, without its values. */
export type RequestFacts = Pick<FastifyRequest, 'id' | 'method' | 'ip' | 'routeOptions'>;

/** Puts on record who was let in, who was not, and who read what. */
export class AccessRecorder {
  readonly #audit: Pick<AuditLog, 'append'>;
  readonly #tokens = new Map<string, number>();
  readonly #reads: ReadAccessGate;

  constructor(audit: Pick<AuditLog, 'append'>, clock: Pick<Clock, 'now'>) {
    this.#audit = audit;
    this.#reads = readAccessGate(clock);
  }

  /** One record for a token, before anything is done with it. @throws {PlumblineError} `ERR_AUDIT_UNAVAILABLE` */
  async tokenUsed(caller: Caller, requestId: string): Promise<void> {
    const { tokenHash, runFacts, expiresAt } = caller;
    // The same token with the facts of another run is another caller.
    const tokens = `${tokenHash} ${runFacts?.tokenHash ?? ''}`;
    if (this.#tokens.has(tokens)) return;
    const data = { caller: callerFacts(caller), requestId };
    await this.#audit.append({ type: 'dev.plumbline.token.used', subject: tokenHash, data });
    remember(this.#tokens, tokens, expiresAt);
  }

  /** A record for each. That it cannot be written lets nobody in, so it is no reason to answer otherwise. */
  async tokenRefused(token: string, { code, facts }: Problem, request: RequestFacts): Promise<void> {
    const data = {
      tokenHash: hash('sha256', token),
      requestId: request.id,
      errorCode: code,
      reason: facts.reason,
      address: request.ip,
      route: routeOf(request),
    };
    await this.#audit.append({ type: 'dev.plumbline.token.refused', data }).catch(() => undefined);
  }

  /** A token that may be used once came with another request. */
  async replayed(token: VerifiedToken, { code, facts }: Problem, request: RequestFacts): Promise<void> {
    const { issuer, iss, subject, tokenId, tokenHash } = token;
    const caller = redactJson({ issuer, iss, subject, tokenId, tokenHash });
    const data = { caller, requestId: request.id, errorCode: code, reason: facts.reason, address: request.ip };
    await this.#audit.append({ type: 'dev.plumbline.token.refused', data }).catch(() => undefined);
  }

  /** A token for one run, bought with another one. @throws {PlumblineError} `ERR_AUDIT_UNAVAILABLE` */
  async tokenIssued(caller: Caller, runId: string, requestId: string): Promise<void> {
    const data = { caller: callerFacts(caller), requestId, result: 'run-token-issued' };
    await this.#audit.append({ type: 'dev.plumbline.token.used', subject: runId, data });
  }

  /** One record for a token, run and minute. @throws {PlumblineError} `ERR_AUDIT_UNAVAILABLE` */
  async read(caller: Caller, runId: string | undefined, request: RequestFacts): Promise<void> {
    const { tokenHash } = caller;
    if (!this.#reads.isDue(tokenHash, runId ?? '')) return;
    const data = { caller: callerFacts(caller), requestId: request.id, route: routeOf(request) };
    try {
      await this.#audit.append({ type: 'dev.plumbline.read.access', subject: runId, data });
    } catch (error) {
      this.#reads.forget(tokenHash, runId ?? '');
      throw error;
    }
  }
}

function routeOf({ method, routeOptions }: RequestFacts): string {
  return `${method} ${routeOptions.url ?? '-'}`;
}

function remember(map: Map<string, number>, key: string, value: number): void {
  map.delete(key);
  map.set(key, value);
  const oldest = map.size > MAX_REMEMBERED ? map.keys().next().value : undefined;
  if (oldest !== undefined) map.delete(oldest);
}
