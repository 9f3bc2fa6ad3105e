import type * as http from 'node:http';
import { PlumblineError } from '#core/errors.ts';
import type { NetworkSettings } from '#core/network.ts';
import { checkedName, exchange } from './exchange.ts';
import type { HttpRequest } from './http.ts';
import { networkError, type RequestName, timeoutError } from './http-error.ts';
import { HttpResponse } from './http-response.ts';
import { readBody } from './read-body.ts';

export interface StreamRequest extends Pick<HttpRequest, 'url' | 'headers'> {
  /** What a stream is served as, e.g. `text/event-stream`; `undefined`: its server does not say (Airflow's wait). */
  readonly contentType: string | undefined;
  /** Until the answer begins. @default 30_000 */
  readonly timeoutMs?: number | undefined;
  /** Longest silence in the stream. @default 60_000 */
  readonly idleMs?: number | undefined;
  /** Ends the stream. */
  readonly signal: AbortSignal;
}

/** An answer that is read while it grows. */
export interface HttpStream {
  /**
   * Its bytes; ends when the server ends it. Leaving it closes the connection.
   *
   * @throws {PlumblineError} `ERR_HTTP_NETWORK` when the connection breaks, `ERR_HTTP_TIMEOUT` when it is silent for too long.
   * @throws the signal's reason when it aborts.
   */
  readonly chunks: AsyncIterable<Uint8Array>;
}

const TIMEOUT_MS = 30_000;
const IDLE_MS = 60_000;
const MAX_ANSWER_BYTES = 1024 * 1024;

/**
 * GETs a body that grows while it is read. An answer that is no such stream (another status than 200, another content type)
 * is read whole and given as it is. No redirect, no retry, a connection of its own.
 *
 * @throws {PlumblineError} `ERR_HTTP_NETWORK`, `ERR_HTTP_TIMEOUT`, `ERR_HTTP_BODY`; the signal's reason when it aborts.
 */
export async function openStream(wanted: StreamRequest, network: NetworkSettings): Promise<HttpStream | HttpResponse> {
  const name = checkedName({ method: 'GET', url: wanted.url });
  const patience = new Patience(wanted.signal);
  const failed = (thrown: unknown): unknown => {
    if (wanted.signal.aborted) return wanted.signal.reason;
    if (patience.lostMs !== undefined) return timeoutError(name, patience.lostMs);
    if (thrown instanceof PlumblineError || thrown instanceof TypeError) return thrown;
    return networkError(name, thrown, network);
  };
  try {
    wanted.signal.throwIfAborted();
    patience.wait(wanted.timeoutMs ?? TIMEOUT_MS);
    const message = await exchange(name, wanted, network, { keepAlive: false, signal: patience.signal });
    if (isStream(message, wanted.contentType)) {
      return { chunks: chunksOf(message, patience, wanted.idleMs ?? IDLE_MS, failed) };
    }
    return await whole(message, name, patience);
  } catch (thrown) {
    patience.end();
    throw failed(thrown);
  }
}

function isStream({ statusCode, headers }: http.IncomingMessage, contentType: string | undefined): boolean {
  const type = headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  const isOne = contentType === undefined || type === contentType;
  return statusCode === 200 && isOne && headers['content-encoding'] === undefined;
}

async function whole(message: http.IncomingMessage, name: RequestName, patience: Patience): Promise<HttpResponse> {
  const body = await readBody(message, MAX_ANSWER_BYTES, name);
  patience.end();
  return new HttpResponse(name, { status: message.statusCode ?? 0, headers: message.headers, body });
}

async function* chunksOf(
  message: http.IncomingMessage,
  patience: Patience,
  idleMs: number,
  failed: (thrown: unknown) => unknown,
): AsyncGenerator<Uint8Array> {
  try {
    patience.wait(idleMs);
    for await (const chunk of message) {
      // Only the server's silence counts, not the time that the reader takes.
      patience.rest();
      yield chunk;
      patience.wait(idleMs);
    }
  } catch (thrown) {
    throw failed(thrown);
  } finally {
    patience.end();
    message.destroy();
  }
}

/** Aborts when a wait lasts too long, or when the signal it was made with aborts. */
class Patience {
  readonly #controller = new AbortController();
  readonly #given: AbortSignal;
  readonly #follow = () => this.#controller.abort(this.#given.reason);
  #timer: NodeJS.Timeout | undefined;
  /** How long the wait was that was too long. */
  lostMs: number | undefined;

  constructor(given: AbortSignal) {
    this.#given = given;
    given.addEventListener('abort', this.#follow, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  wait(ms: number): void {
    this.rest();
    this.#timer = setTimeout(() => {
      this.lostMs = ms;
      this.#controller.abort();
    }, ms);
  }

  rest(): void {
    clearTimeout(this.#timer);
  }

  end(): void {
    this.rest();
    this.#given.removeEventListener('abort', this.#follow);
  }
}
