import type { HttpClient, HttpHeaders, PipelineRequest, PipelineResponse } from '@azure/core-rest-pipeline';
import type { Http, HttpRequest } from './http.ts';
import type { HttpResponse } from './http-response.ts';

/**
 * Our way through the network as Azure Core's `HttpClient`, for the `httpClient` option of its clients: proxy and private
 * CA work together (Azure Core drops the certificates when it is given a proxy) and errors are ours.
 *
 * Requests are tried again here, POSTs to a token endpoint too, which may be sent twice without harm. Give the client
 * `retryOptions: { maxRetries: 0 }`.
 */
export function azureHttpClient(http: Http, limits: RequestLimits = {}): HttpClient {
  return { sendRequest };

  async function sendRequest(request: PipelineRequest): Promise<PipelineResponse> {
    return answer(request, await http.request({ ...limits, ...asHttpRequest(request) }));
  }
}

type RequestLimits = Pick<HttpRequest, 'timeoutMs' | 'maxAttempts'>;

function asHttpRequest(request: PipelineRequest): HttpRequest {
  const { method, url, body, timeout, abortSignal } = request;
  if (method === 'TRACE') throw new TypeError('TRACE is not sent');
  return {
    method,
    url,
    // Compression is declined: Azure Core asks for it whoever reads the body.
    headers: { ...request.headers.toJSON(), 'accept-encoding': 'identity' },
    body: bodyOf(body),
    ...(timeout > 0 && { timeoutMs: timeout }),
    idempotent: true,
    signal: abortSignal && asAbortSignal(abortSignal),
  };
}

function bodyOf(body: PipelineRequest['body']): string | Uint8Array | undefined {
  if (body === undefined || body === null || body === '') return undefined;
  if (typeof body === 'string' || body instanceof Uint8Array) return body;
  throw new TypeError('Only text and bytes are sent to Azure');
}

function asAbortSignal(like: NonNullable<PipelineRequest['abortSignal']>): AbortSignal {
  if (like instanceof AbortSignal) return like;
  const controller = new AbortController();
  if (like.aborted) controller.abort();
  else like.addEventListener('abort', () => controller.abort());
  return controller.signal;
}

function answer(request: PipelineRequest, response: HttpResponse): PipelineResponse {
  return { request, status: response.status, headers: new AnswerHeaders(response), bodyAsText: response.text() };
}

class AnswerHeaders implements HttpHeaders {
  readonly #values = new Map<string, string>();

  constructor(response: HttpResponse) {
    for (const name of Object.keys(response.headers)) this.set(name, response.header(name) ?? '');
  }

  get(name: string): string | undefined {
    return this.#values.get(name.toLowerCase());
  }

  has(name: string): boolean {
    return this.#values.has(name.toLowerCase());
  }

  set(name: string, value: string | number | boolean): void {
    this.#values.set(name.toLowerCase(), String(value));
  }

  delete(name: string): void {
    this.#values.delete(name.toLowerCase());
  }

  toJSON(): Record<string, string> {
    return Object.fromEntries(this.#values);
  }

  [Symbol.iterator](): Iterator<[string, string]> {
    return this.#values[Symbol.iterator]();
  }
}
