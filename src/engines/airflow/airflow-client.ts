import { PlumblineError } from '#core/errors.ts';
import type { JsonValue } from '#core/json.ts';
import type { Http, HttpRequest } from '#http/http.ts';
import type { HttpResponse } from '#http/http-response.ts';
import { type HttpStream, openStream } from '#http/open-stream.ts';
import { AnswerError, Fields } from '../answer-fields.ts';
import type { ApiVersion } from './airflow-api.ts';
import type { AirflowCredentials } from './airflow-credentials.ts';
import { airflowAway, airflowRefusal, isAboutCredentials, noAirflow } from './airflow-problem.ts';

export interface AirflowClientOptions {
  /** No slash at the end; may have a path. */
  readonly url: string;
  readonly http: Http;
  readonly credentials: AirflowCredentials;
}

export interface Wanted {
  readonly method: HttpRequest['method'];
  /** Below the API's base, each part encoded; with its query. */
  readonly path: string;
  readonly body?: JsonValue | undefined;
  readonly accept?: string | undefined;
  /** Goes on `Airflow did not …`. */
  readonly what: string;
  /** It may be sent twice without harm. @default by the method */
  readonly idempotent?: boolean | undefined;
  /** @default 4 */
  readonly maxAttempts?: number | undefined;
  /** Statuses whose answer goes to the caller, beside 2xx. */
  readonly also?: readonly number[] | undefined;
  readonly signal: AbortSignal;
}

export interface StreamWanted extends Pick<Wanted, 'path' | 'what' | 'signal'> {
  /** Longest silence in the stream. */
  readonly idleMs: number;
}

const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

/** Requests to one API of one Airflow, with credentials that are asked anew for each, and once more when they are refused. */
export class AirflowClient {
  readonly url: string;
  readonly api: ApiVersion;
  readonly #options: AirflowClientOptions;

  constructor(options: AirflowClientOptions, api: ApiVersion) {
    this.url = options.url;
    this.api = api;
    this.#options = options;
  }

  /**
   * The answer, when it is 2xx or one that is wanted too.
   * @throws {PlumblineError} `ERR_AIRFLOW_REFUSED`, `ERR_AIRFLOW_PROTOCOL`, `ERR_AIRFLOW_UNAVAILABLE`, and what the credentials throw
   */
  async send(wanted: Wanted): Promise<HttpResponse> {
    const answer = await this.#authorised(wanted.signal, (headers) => this.#once(wanted, headers));
    if (answer.ok || wanted.also?.includes(answer.status)) return answer;
    throw airflowRefusal(this.#call(wanted), answer);
  }

  /** The answer, read; `undefined` for 404. */
  async get<Answer>(
    wanted: Pick<Wanted, 'path' | 'what' | 'signal' | 'accept'>,
    read: (fields: Fields) => Answer,
  ): Promise<Answer | undefined> {
    const answer = await this.send({ ...wanted, method: 'GET', also: [404] });
    return answer.status === 404 ? undefined : this.read(wanted, answer, read);
  }

  /** @throws {PlumblineError} `ERR_AIRFLOW_PROTOCOL` when the answer has not what is needed of it */
  read<Answer>(wanted: Pick<Wanted, 'what'>, answer: HttpResponse, read: (fields: Fields) => Answer): Answer {
    return this.interpret(wanted, () => read(new Fields(answer.json(), 'answer')));
  }

  /** @throws {PlumblineError} `ERR_AIRFLOW_PROTOCOL` in place of what a reader of an answer throws */
  interpret<Answer>(wanted: Pick<Wanted, 'what'>, work: () => Answer): Answer {
    try {
      return work();
    } catch (thrown) {
      if (thrown instanceof AnswerError) throw noAirflow(this.#call(wanted), thrown.message);
      if (thrown instanceof PlumblineError) throw noAirflow(this.#call(wanted), 'its answer is no JSON');
      throw thrown;
    }
  }

  /** A body that is read while it grows; `undefined` for 404. */
  async stream(wanted: StreamWanted): Promise<AsyncIterable<Uint8Array> | undefined> {
    const answer = await this.#authorised(wanted.signal, (headers) =>
      this.#heard(wanted, () => this.#open(wanted, headers)),
    );
    if ('chunks' in answer) return this.#heardChunks(wanted, answer.chunks);
    if (answer.status === 404) return undefined;
    if (!answer.ok) throw airflowRefusal(this.#call(wanted), answer);
    // Something on the way compressed it all the same, and gave it when it was whole.
    return whole(answer.body);
  }

  /** Airflow names no type for its wait; `identity`, which is asked for by itself, keeps it from being held back. */
  #open(
    { path, idleMs, signal }: StreamWanted,
    headers: Readonly<Record<string, string>>,
  ): Promise<HttpStream | HttpResponse> {
    return openStream(
      {
        url: this.#address(path),
        headers: { accept: 'application/x-ndjson', ...headers },
        contentType: undefined,
        idleMs,
        signal,
      },
      this.#options.http.network,
    );
  }

  async #authorised<Answer extends object>(
    signal: AbortSignal,
    send: (headers: Readonly<Record<string, string>>) => Promise<Answer>,
  ): Promise<Answer> {
    const { credentials } = this.#options;
    const answer = await send(await credentials.headers(this.api, signal));
    if (!('status' in answer) || !isAboutCredentials(answer as unknown as HttpResponse)) return answer;
    credentials.refused();
    return send(await credentials.headers(this.api, signal));
  }

  #once(wanted: Wanted, authority: Readonly<Record<string, string>>): Promise<HttpResponse> {
    const { method, path, body, accept = 'application/json', idempotent, maxAttempts, signal } = wanted;
    return this.#heard(wanted, () =>
      this.#options.http.request({
        method,
        url: this.#address(path),
        headers: { accept, ...(body !== undefined && { 'content-type': 'application/json' }), ...authority },
        body: body === undefined ? undefined : JSON.stringify(body),
        maxBodyBytes: MAX_ANSWER_BYTES,
        idempotent,
        maxAttempts,
        signal,
      }),
    );
  }

  #address(path: string): string {
    return `${this.url}/api/${this.api}${path}`;
  }

  /** What the way to the server throws says that nobody answered, not what the answer is. */
  async #heard<Answer>(wanted: Pick<Wanted, 'what'>, work: () => Promise<Answer>): Promise<Answer> {
    try {
      return await work();
    } catch (thrown) {
      throw this.#unheard(wanted, thrown);
    }
  }

  async *#heardChunks(
    wanted: Pick<Wanted, 'what'>,
    chunks: AsyncIterable<Uint8Array>,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* chunks;
    } catch (thrown) {
      throw this.#unheard(wanted, thrown);
    }
  }

  #unheard(wanted: Pick<Wanted, 'what'>, thrown: unknown): unknown {
    if (!(thrown instanceof PlumblineError)) return thrown;
    if (thrown.code === 'ERR_HTTP_NETWORK' || thrown.code === 'ERR_HTTP_TIMEOUT')
      return airflowAway(this.#call(wanted), thrown);
    if (thrown.code === 'ERR_HTTP_BODY') return noAirflow(this.#call(wanted), thrown.message, { cause: thrown });
    return thrown;
  }

  #call({ what }: Pick<Wanted, 'what'>): { what: string; airflow: string } {
    return { what, airflow: this.url };
  }
}

async function* whole(body: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield body;
}
