import assert from 'node:assert/strict';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Clock } from '#core/clock.ts';
import type { AirflowApi, ApiVersion } from '#engines/airflow/airflow-api.ts';
import { openAirflow } from '#engines/airflow/open-airflow.ts';
import { createHttp } from '#http/http.ts';
import { type Loopback, serve } from '../loopback.ts';
import { type RecordedAnswer, type RecordedLine, recordedAnswers } from './recorded-answers.ts';

export interface AskedAirflow {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A recorded answer by its name, one with other fields in its body, any answer, or what a test does itself. */
export type ScriptedAnswer =
  | string
  | { readonly like: string; readonly body: Readonly<Record<string, unknown>> }
  | {
      readonly status: number;
      readonly body?: unknown;
      readonly type?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | ((response: ServerResponse, asked: AskedAirflow) => void);

/** Time that passes at once when somebody sleeps. */
export function hurriedClock(): Clock & { slept: number } {
  const clock = {
    slept: 0,
    now: () => 1_800_000_000_000 + clock.slept,
    sleep: async (ms: number, signal?: AbortSignal) => {
      signal?.throwIfAborted();
      clock.slept += ms;
    },
  };
  return clock;
}

/**
 * A server that gives recorded answers of a real Airflow, in the order in which a test wants them: for what no real one
 * can be brought to do on request. What is not in the script is refused with 599, which no test expects.
 */
export class ScriptedAirflow {
  readonly asked: AskedAirflow[] = [];
  /** How often the credentials were refused; each time the next ones are others. */
  refusals = 0;
  readonly line: RecordedLine;
  readonly clock = hurriedClock();
  readonly #recorded: ReadonlyMap<string, RecordedAnswer>;
  readonly #script = new Map<string, ScriptedAnswer[]>();
  #server: Loopback | undefined;

  constructor(line: RecordedLine) {
    this.line = line;
    this.#recorded = recordedAnswers(line);
  }

  static async start(line: RecordedLine): Promise<ScriptedAirflow> {
    const airflow = new ScriptedAirflow(line);
    airflow.#server = await serve(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      const url = new URL(request.url ?? '', 'http://airflow');
      const { method = '', headers } = request;
      const { pathname: path, searchParams: query } = url;
      const asked = { method, path, query, headers, body, authorization: headers.authorization };
      airflow.asked.push(asked);
      airflow.#answer(asked, response);
    });
    return airflow;
  }

  get url(): string {
    assert.ok(this.#server);
    return this.#server.url;
  }

  get api(): ApiVersion {
    return this.line === '3.3.2' ? 'v2' : 'v1';
  }

  get paths(): readonly string[] {
    return this.asked.map(({ method, path }) => `${method} ${path.replace(/^\/api\/v\d/, '')}`);
  }

  /**
   * Answers to one request, in turn; the last one stays.
   * @param request `GET /dags/x`, below the API's base; one with a host's path in front is given from the root: `GET //path`
   */
  on(request: string, ...answers: readonly ScriptedAnswer[]): this {
    const [method = '', path = ''] = request.split(' ');
    const whole = path.startsWith('//') ? path.slice(1) : `/api/${this.api}${path}`;
    this.#script.set(`${method} ${whole}`, [...answers]);
    return this;
  }

  recorded(name: string): RecordedAnswer {
    const answer = this.#recorded.get(name);
    assert.ok(answer, `${name} is not recorded for ${this.line}`);
    return answer;
  }

  /** Opened as a step opens it. What was asked for that is not kept in `asked`. */
  async open(more: { readonly signal?: AbortSignal; readonly path?: string } = {}): Promise<AirflowApi> {
    const base = more.path ?? '';
    this.on(`GET /${base}/api/v2/version`, this.api === 'v2' ? 'version' : 'otherApi');
    this.on(`GET /${base}/api/v1/version`, this.api === 'v1' ? 'version' : 'otherApi');
    const api = await this.openAsItIs(more);
    this.asked.length = 0;
    return api;
  }

  openAsItIs({
    signal = new AbortController().signal,
    path = '',
  }: {
    signal?: AbortSignal;
    path?: string;
  } = {}): Promise<AirflowApi> {
    const http = createHttp({ skipVerification: false }, { clock: this.clock });
    const credentials = {
      headers: async (api: ApiVersion) => ({ authorization: `Bearer ${api}-${this.refusals}` }),
      refused: () => {
        this.refusals += 1;
      },
    };
    return openAirflow({ url: `${this.url}${path}`, http, credentials, clock: this.clock }, signal);
  }

  async close(): Promise<void> {
    await this.#server?.close();
  }

  #answer(asked: AskedAirflow, response: ServerResponse): void {
    const answers = this.#script.get(`${asked.method} ${asked.path}`);
    const answer = answers !== undefined && answers.length > 1 ? answers.shift() : answers?.[0];
    if (typeof answer === 'function') return void answer(response, asked);
    const { status, type, body, headers } = this.#whole(
      answer ?? { status: asked.path === '/openapi.json' ? 404 : 599 },
    );
    response.writeHead(status, { ...(type && { 'content-type': type }), ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body ?? null));
  }

  #whole(answer: Exclude<ScriptedAnswer, (...args: never) => void>): {
    readonly status: number;
    readonly type: string | null;
    readonly body: unknown;
    readonly headers?: Readonly<Record<string, string>> | undefined;
  } {
    if (typeof answer === 'string') return this.recorded(answer);
    if (!('like' in answer)) return { type: 'application/json', body: undefined, ...answer };
    const { status, type, body } = this.recorded(answer.like);
    return { status, type, body: { ...(body as Record<string, unknown>), ...answer.body } };
  }
}
