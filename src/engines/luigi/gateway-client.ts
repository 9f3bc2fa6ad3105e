import type { Clock } from '#core/clock.ts';
import { PlumblineError } from '#core/errors.ts';
import type { TaskGraph } from '#core/graph.ts';
import { Secret } from '#core/secret.ts';
import { type GatewayCall, gatewayRefusal, noGateway } from '#http/gateway-problem.ts';
import type { Http, HttpRequest } from '#http/http.ts';
import type { HttpResponse } from '#http/http-response.ts';
import { openStream } from '#http/open-stream.ts';
import { AnswerError } from '../answer-fields.ts';
import type { CancelReason } from '../engine.ts';
import type { GatewayCredentials, GatewayRunRequest } from './gateway-request.ts';
import {
  GATEWAY_RUN_ID,
  type GatewayRun,
  type RunTokenAnswer,
  readCreated,
  readGraph,
  readRun,
  readRuns,
  readRunToken,
  readStopAnswer,
} from './gateway-run.ts';
import { readStream, type StreamItem } from './gateway-stream.ts';

export interface GatewayClientOptions {
  /** Where `/v1` lies below; no slash at the end. */
  readonly url: string;
  readonly http: Http;
  readonly credentials: GatewayCredentials;
  /** Called with each run token before it is used. */
  readonly mask: (secret: Secret) => void;
  readonly clock: Clock;
}

const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
/** A run token is renewed when it lives no longer than this. */
const TOKEN_MARGIN_MS = 30_000;
/** A step that is cancelled has 7.5 s until the agent's second signal; the gateway answers when the worker has ended. */
const CANCEL_MS = 7_000;
/** The gateway gives a sign of life every 15 s. */
const SILENCE_MS = 50_000;

interface Wanted extends Pick<HttpRequest, 'method' | 'body'> {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The Runs API of one gateway. What creates or finds a run goes under the caller's own credentials; whatever follows goes
 * under a token that is good for that run only, and is renewed.
 *
 * Every method throws {PlumblineError}: `ERR_GATEWAY_*` or the gateway's own code, `ERR_HTTP_*`, and what the credentials throw.
 */
export class GatewayClient {
  readonly url: string;
  readonly #options: GatewayClientOptions;
  readonly #tokens = new Map<string, { readonly token: Secret; readonly expiresAt: number }>();

  constructor(options: GatewayClientOptions) {
    this.url = options.url;
    this.#options = options;
  }

  /** The run of this key: a new one, or the one that the same request has made before. */
  async create(request: GatewayRunRequest, signal: AbortSignal): Promise<GatewayRun> {
    const { id, ...specification } = request;
    const what = `start the run ${id}`;
    const headers = { 'idempotency-key': id, 'content-type': 'application/json' };
    const body = JSON.stringify(specification);
    const answer = await this.#asCaller({ method: 'POST', path: '/v1/runs', headers, body, what, signal });
    const { run, token } = this.#read(what, answer, readCreated);
    if (run.key !== id) throw this.#unlike(what, 'it answered with the run of another key');
    if (token !== undefined) this.#keep(run.id, token);
    return run;
  }

  async find(key: string, signal: AbortSignal): Promise<GatewayRun | undefined> {
    const what = `look for the run ${key}`;
    const path = `/v1/runs?key=${encodeURIComponent(key)}&limit=1`;
    const runs = this.#read(what, await this.#asCaller({ method: 'GET', path, what, signal }), readRuns);
    if (runs.some((run) => run.key !== key)) throw this.#unlike(what, 'it answered with the run of another key');
    return runs[0];
  }

  async read(runId: string, signal?: AbortSignal): Promise<GatewayRun> {
    const what = `show the run ${runId}`;
    const answer = await this.#asRun(runId, { method: 'GET', path: `/v1/runs/${runId}`, what, signal });
    const run = this.#read(what, answer, (value) => readRun(value));
    if (run.id !== runId) throw this.#unlike(what, 'it answered with another run');
    return run;
  }

  async graph(runId: string, signal: AbortSignal): Promise<TaskGraph> {
    const what = `show the graph of the run ${runId}`;
    const answer = await this.#asRun(runId, { method: 'GET', path: `/v1/runs/${runId}/graph`, what, signal });
    return this.#read(what, answer, readGraph);
  }

  async cancel(runId: string, reason: CancelReason): Promise<'stopped' | 'requested'> {
    const what = `stop the run ${runId}`;
    const answer = await this.#asRun(runId, {
      method: 'POST',
      path: `/v1/runs/${runId}/cancel`,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ reason }),
      signal: AbortSignal.timeout(CANCEL_MS),
      what,
    });
    return this.#read(what, answer, readStopAnswer);
  }

  /** What came after the update of this number, and what comes, as long as the connection holds. */
  async *events(runId: string, after: number, signal: AbortSignal): AsyncGenerator<StreamItem> {
    const what = `tell of the run ${runId}`;
    const open = async () =>
      openStream(
        {
          url: `${this.url}/v1/runs/${this.#checked(runId)}/events`,
          headers: {
            accept: 'text/event-stream',
            ...(after > 0 && { 'last-event-id': String(after) }),
            ...(await this.#runToken(runId, signal)),
          },
          contentType: 'text/event-stream',
          idleMs: SILENCE_MS,
          signal,
        },
        this.#options.http.network,
      );
    let answer = await open();
    if (this.#isStale(runId, answer)) answer = await open();
    if (!('chunks' in answer))
      throw answer.ok
        ? noGateway(this.#call(what), 'its answer is no event stream', answer.status)
        : gatewayRefusal(this.#call(what), answer);
    yield* this.#reading(what, readStream(answer.chunks));
  }

  /** Under the caller's own credentials, which are asked anew: the very same request may be sent twice. */
  async #asCaller(wanted: Wanted): Promise<HttpResponse> {
    return this.#send(wanted, await this.#options.credentials.headers(wanted.signal));
  }

  async #asRun(runId: string, wanted: Wanted): Promise<HttpResponse> {
    this.#checked(runId);
    const answer = await this.#send(wanted, await this.#runToken(runId, wanted.signal), [401]);
    if (!this.#isStale(runId, answer)) return answer.status === 401 ? this.#refused(wanted, answer) : answer;
    return this.#send(wanted, await this.#runToken(runId, wanted.signal));
  }

  async #send(
    wanted: Wanted,
    authority: Readonly<Record<string, string>>,
    also: readonly number[] = [],
  ): Promise<HttpResponse> {
    const { path, headers, what: _, ...rest } = wanted;
    const answer = await this.#options.http.request({
      ...rest,
      url: `${this.url}${path}`,
      headers: { accept: 'application/json', ...headers, ...authority },
      maxBodyBytes: MAX_ANSWER_BYTES,
      idempotent: true,
    });
    return answer.ok || also.includes(answer.status) ? answer : this.#refused(wanted, answer);
  }

  #refused({ what }: Pick<Wanted, 'what'>, answer: HttpResponse): never {
    throw gatewayRefusal(this.#call(what), answer);
  }

  /** The header of a token for this run, got with the caller's own credentials when there is none that lives long enough. */
  async #runToken(runId: string, signal: AbortSignal | undefined): Promise<Readonly<Record<string, string>>> {
    const known = this.#tokens.get(runId);
    if (known === undefined || known.expiresAt - this.#options.clock.now() <= TOKEN_MARGIN_MS) {
      const what = `give a token for the run ${runId}`;
      const path = `/v1/runs/${this.#checked(runId)}/token`;
      const answer = await this.#asCaller({ method: 'POST', path, what, signal });
      this.#keep(runId, this.#read(what, answer, readRunToken));
    }
    return { authorization: `Bearer ${this.#tokens.get(runId)?.token.reveal()}` };
  }

  #keep(runId: string, { token, expiresAt }: RunTokenAnswer): void {
    const secret = new Secret(token);
    this.#options.mask(secret);
    this.#tokens.set(runId, { token: secret, expiresAt });
  }

  /** Whether the run token is not accepted any more; it is then forgotten, so that the next one is asked for. */
  #isStale(runId: string, answer: object): boolean {
    if (!('status' in answer) || answer.status !== 401) return false;
    return this.#tokens.delete(runId);
  }

  #read<Answer>(what: string, response: HttpResponse, read: (value: unknown) => Answer): Answer {
    try {
      return read(response.json());
    } catch (thrown) {
      if (thrown instanceof AnswerError) throw this.#unlike(what, thrown.message);
      if (thrown instanceof PlumblineError) throw this.#unlike(what, `its answer is no JSON`);
      throw thrown;
    }
  }

  async *#reading(what: string, items: AsyncIterable<StreamItem>): AsyncGenerator<StreamItem> {
    try {
      yield* items;
    } catch (thrown) {
      throw thrown instanceof AnswerError ? this.#unlike(what, thrown.message) : thrown;
    }
  }

  /** An id from elsewhere never becomes another path. */
  #checked(runId: string): string {
    if (GATEWAY_RUN_ID.test(runId)) return runId;
    throw new PlumblineError('ERR_RUN_LOST', `The gateway ${this.url} has no run of this id: it is none of its form`);
  }

  #call(what: string): GatewayCall {
    return { what, gateway: this.url };
  }

  #unlike(what: string, why: string): PlumblineError {
    return noGateway(this.#call(what), why);
  }
}
