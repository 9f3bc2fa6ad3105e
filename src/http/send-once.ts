import { PlumblineError } from '#core/errors.ts';
import type { NetworkSettings } from '#core/network.ts';
import { checkedName, exchange } from './exchange.ts';
import type { HttpRequest } from './http.ts';
import { networkError, timeoutError } from './http-error.ts';
import { HttpResponse } from './http-response.ts';
import { readBody } from './read-body.ts';
import { IDEMPOTENT_METHODS } from './retry.ts';

const TIMEOUT_MS = 30_000;
const MAX_BODY_BYTES = 10 * 1024 * 1024;

/** One attempt: no redirect, no retry, bounded in time and size. Rejects as {@link Http.request} says. */
export async function sendOnce(wanted: HttpRequest, network: NetworkSettings): Promise<HttpResponse> {
  const name = checkedName(wanted);
  const timeoutMs = wanted.timeoutMs ?? TIMEOUT_MS;
  const timeout = AbortSignal.timeout(timeoutMs);
  const signal = wanted.signal ? AbortSignal.any([wanted.signal, timeout]) : timeout;
  const keepAlive = wanted.idempotent ?? IDEMPOTENT_METHODS.has(name.method);
  try {
    const message = await exchange(name, wanted, network, { keepAlive, signal });
    const body = await readBody(message, wanted.maxBodyBytes ?? MAX_BODY_BYTES, name);
    return new HttpResponse(name, { status: message.statusCode ?? 0, headers: message.headers, body });
  } catch (thrown) {
    wanted.signal?.throwIfAborted();
    if (timeout.aborted) throw timeoutError(name, timeoutMs);
    if (thrown instanceof PlumblineError || thrown instanceof TypeError) throw thrown;
    throw networkError(name, thrown, network);
  }
}
