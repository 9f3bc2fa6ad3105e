import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Clock, systemClock } from '#core/clock.ts';
import type { RunUpdate } from '#core/run.ts';
import { type LuigiGatewayEngine, luigiGateway } from '#engines/luigi/luigi-gateway.ts';
import { createHttp } from '#http/http.ts';
import { type Loopback, serve } from './loopback.ts';

/** One request that the gateway got. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: string;
  readonly headers: IncomingMessage['headers'];
}

export type Answer = (asked: Asked, response: ServerResponse) => void;

export const RUN_ID = '01930000-0000-7000-8000-000000000001';
export const SIGNAL = new AbortController().signal;

/** A server that answers as a test says, and an engine that takes it for its gateway. For answers that a real one never gives. */
export class ScriptedGateway {
  readonly asked: readonly Asked[];
  readonly masked: string[] = [];
  readonly #server: Loopback;
  #credentials = 0;

  private constructor(server: Loopback, asked: readonly Asked[]) {
    this.#server = server;
    this.asked = asked;
  }

  /** @param answer for paths that are no token request; those give `token-1`, `token-2`, … unless `tokens` says otherwise */
  static async start(answer: Answer, tokens: Answer = issueTokens()): Promise<ScriptedGateway> {
    const asked: Asked[] = [];
    const server = await serve(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      const { method = '', url: path = '', headers } = request;
      const one = { method, path, authorization: headers.authorization, body, headers };
      asked.push(one);
      if (method === 'POST' && path.endsWith('/token')) tokens(one, response);
      else answer(one, response);
    });
    return new ScriptedGateway(server, asked);
  }

  get url(): string {
    return this.#server.url;
  }

  engine({ clock = systemClock, lostAfterMs }: { clock?: Clock; lostAfterMs?: number } = {}): LuigiGatewayEngine {
    return luigiGateway({
      url: this.url,
      http: createHttp({ skipVerification: false }, { clock: { now: clock.now, sleep: async () => {} } }),
      // A new one each time, as an ID token is.
      credentials: { headers: async () => ({ authorization: `Bearer caller-${++this.#credentials}` }) },
      mask: (secret) => void this.masked.push(secret.reveal()),
      clock,
      ...(lostAfterMs !== undefined && { lostAfterMs }),
    });
  }

  close(): Promise<void> {
    return this.#server.close();
  }
}

export function issueTokens(lifetimeMs = 3_600_000, now = () => Date.now()): Answer {
  let issued = 0;
  return (_, response) => {
    issued += 1;
    json(response, 200, { token: `run-token-number-${issued}`, expiresAt: now() + lifetimeMs });
  };
}

export function json(response: ServerResponse, status: number, body: unknown, type = 'application/json'): void {
  response.writeHead(status, { 'content-type': type }).end(JSON.stringify(body));
}

export function problem(response: ServerResponse, status: number, more: Record<string, unknown> = {}): void {
  const document = { type: 'about:blank', title: 'Forbidden', status, code: 'run-denied', requestId: 'req-1', ...more };
  json(response, status, document, 'application/problem+json; charset=utf-8');
}

export function sampleRecord(more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: RUN_ID,
    key: 'key',
    specification: { role: 'nightly', module: 'm', task: 'T', parameters: {}, workers: 1, attempt: '1.1', claimed: {} },
    state: 'running',
    attempt: 1,
    createdAt: 1,
    caller: {},
    decision: { policy: 'f'.repeat(64), binding: 'b', mode: 'enforce', wouldAllow: true },
    isolation: 'user',
    secrets: [],
    links: {},
    ...more,
  };
}

/** Sends updates with their numbers from `first`, and ends. */
export function sendEvents(response: ServerResponse, updates: readonly object[], first = 1): void {
  const events = updates.map(
    (update, index) => `id: ${first + index}\nevent: update\ndata: ${JSON.stringify(update)}\n\n`,
  );
  response.writeHead(200, { 'content-type': 'text/event-stream' }).end(`${events.join('')}`);
}

export async function updatesOf(engine: LuigiGatewayEngine, handle = RUN_ID): Promise<RunUpdate[]> {
  const updates: RunUpdate[] = [];
  for await (const update of engine.follow({ id: 'key', engine: engine.name, handle }, SIGNAL)) updates.push(update);
  return updates;
}
