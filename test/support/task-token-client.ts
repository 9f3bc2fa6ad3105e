import { readFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { join } from 'node:path';
import { Secret } from '#core/secret.ts';
import { type WorkerTokens, workerTokens } from '#gateway/auth/worker-tokens.ts';
import type { ServedGateway } from './served-gateway.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** One request by a Unix socket. */
export function bySocket(
  socketPath: string,
  path: string,
  body?: string,
  headers: IncomingHttpHeaders = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST';
    const sent = request({ socketPath, path, method, headers, agent: false }, async (response) => {
      const parts: Buffer[] = [];
      for await (const part of response) parts.push(part as Buffer);
      const text = Buffer.concat(parts).toString();
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Where workers of a Unix user reach a gateway. @default the gateway's own user */
export function workerSocketOf({ folder }: Pick<ServedGateway, 'folder'>, uid = process.geteuid?.() ?? 0): string {
  return join(folder, `runs/sockets/${uid}.sock`);
}

/** Exchanges tokens at a gateway, as the worker of one of its runs; with the key of the gateway it can be any worker. */
export class TaskTokenClient {
  readonly #gateway: ServedGateway;

  constructor(gateway: ServedGateway) {
    this.#gateway = gateway;
  }

  /** Of the gateway's own user. */
  get socket(): string {
    return workerSocketOf(this.#gateway);
  }

  get tokens(): WorkerTokens {
    const key = readFileSync(join(this.#gateway.folder, 'state/keys/run-token.key'), 'utf8').trim();
    return workerTokens(new Secret(key));
  }

  form(workerToken: string, fields: Readonly<Record<string, string | undefined>> = {}): string {
    const all = {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: workerToken,
      subject_token_type: 'https://plumbline.dev/token-type/worker',
      task_family: 'Gate',
      task_id: 'Gate_a_1234567890',
      ...fields,
    };
    const given = Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined);
    return new URLSearchParams(given).toString();
  }

  send(body: string): Promise<Answer> {
    return bySocket(this.socket, '/v1/token', body, { 'content-type': 'application/x-www-form-urlencoded' });
  }

  exchange(workerToken: string, fields: Readonly<Record<string, string | undefined>> = {}): Promise<Answer> {
    return this.send(this.form(workerToken, fields));
  }
}
