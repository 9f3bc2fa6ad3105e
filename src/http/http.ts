import { type Clock, systemClock } from '#core/clock.ts';
import { asPlumblineError } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import type { NetworkSettings } from '#core/network.ts';
import { isTransient, nameOf } from './http-error.ts';
import type { HttpResponse } from './http-response.ts';
import { IDEMPOTENT_METHODS, type RetryQuestion, retryDelay, shouldRetry } from './retry.ts';
import { sendOnce } from './send-once.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'OPTIONS' | 'PUT' | 'DELETE' | 'POST' | 'PATCH';
  /** Absolute, `https:` or `http:`. User info is refused. */
  readonly url: string | URL;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly body?: string | Uint8Array | undefined;
  /** For one attempt, the reading of the body included. @default 30_000 */
  readonly timeoutMs?: number | undefined;
  /** @default 10 MiB */
  readonly maxBodyBytes?: number | undefined;
  /** With the first. @default 4 */
  readonly maxAttempts?: number | undefined;
  /** It may be sent twice without harm. @default by the method, RFC 9110 §9.2.2 */
  readonly idempotent?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Where a room sends its requests; made once for a step by {@link createHttp}. */
export interface Http {
  /**
   * Sends a request and gives the final answer, whatever its status. Redirects are not followed. An idempotent request
   * is sent again after 408, 429, 500, 502, 503, 504 and failed connections; `Retry-After` is followed.
   *
   * @throws {PlumblineError} `ERR_HTTP_NETWORK`, `ERR_HTTP_TIMEOUT`, `ERR_HTTP_BODY` (over the cap, or cut).
   * @throws the signal's reason when it aborts.
   */
  request(request: HttpRequest): Promise<HttpResponse>;
  readonly network: NetworkSettings;
}

export interface HttpCollaborators {
  readonly clock?: Clock | undefined;
  /** Gets a line for each attempt at debug: method, address without query, status, duration; never a header. */
  readonly log?: Logger | undefined;
}

export function createHttp(network: NetworkSettings, { clock = systemClock, log }: HttpCollaborators = {}): Http {
  return { network, request };

  async function request(wanted: HttpRequest): Promise<HttpResponse> {
    for (let attempt = 1; ; attempt++) {
      const { answer, question } = await tried(wanted, attempt);
      if (!shouldRetry(question)) return answer();
      await clock.sleep(retryDelay(question, Math.random()), wanted.signal);
    }
  }

  async function tried(wanted: HttpRequest, attempt: number): Promise<Tried> {
    const startedAt = clock.now();
    const done = await settled(sendOnce(wanted, network));
    wanted.signal?.throwIfAborted();
    const { outcome, says, answer } = done;
    const name = nameOf({ method: wanted.method, url: new URL(wanted.url) });
    log?.debug(`${name}: ${says}, ${clock.now() - startedAt} ms, attempt ${attempt}`);
    const idempotent = wanted.idempotent ?? IDEMPOTENT_METHODS.has(wanted.method);
    const maxAttempts = wanted.maxAttempts ?? 4;
    return { answer, question: { idempotent, attempt, maxAttempts, outcome, now: clock.now() } };
  }
}

interface Tried {
  /** The response, or the error thrown. */
  readonly answer: () => HttpResponse;
  readonly question: RetryQuestion;
}

async function settled(
  sending: Promise<HttpResponse>,
): Promise<{ answer: () => HttpResponse; outcome: RetryQuestion['outcome']; says: string }> {
  try {
    const response = await sending;
    const { status } = response;
    return {
      answer: () => response,
      outcome: { status, retryAfter: response.header('retry-after') },
      says: `${status}`,
    };
  } catch (thrown) {
    if (thrown instanceof TypeError) throw thrown;
    const error = asPlumblineError(thrown);
    const answer = () => {
      throw error;
    };
    return { answer, outcome: { transient: isTransient(error) }, says: error.code };
  }
}
